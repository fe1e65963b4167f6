"""The verb `headgate simulate` and its options. What it does is `cli.simulate`, imported when it runs."""

from __future__ import annotations

from typing import Annotated

import typer

from headgate.cli.options import JsonOption
from headgate.types.policy import Order


def simulate(
    scenario: Annotated[
        str | None, typer.Argument(help="A YAML file, or the name of a scenario that comes with Headgate.")
    ] = None,
    policy: Annotated[
        list[Order] | None, typer.Option("--policy", help="Only this policy; may be repeated. Else those of the file.")
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="Other dice than the file's.")] = None,
    enforce: Annotated[bool, typer.Option("--enforce", help="Exit with 1 when a target is missed.")] = False,
    listed: Annotated[bool, typer.Option("--list", help="List the scenarios that come with Headgate.")] = False,
    show: Annotated[bool, typer.Option("--show", help="Print the file of such a scenario.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Play the choice of providers through a scenario, against an oracle that knows the truth."""
    from headgate.cli.simulate import list_scenarios, run_simulation, show_scenario

    if listed:
        raise typer.Exit(list_scenarios())
    if scenario is None:
        raise typer.BadParameter("name a scenario, or ask for --list", param_hint="SCENARIO")
    if show:
        raise typer.Exit(show_scenario(scenario))
    raise typer.Exit(run_simulation(scenario, policy or [], seed, as_json, enforce))
