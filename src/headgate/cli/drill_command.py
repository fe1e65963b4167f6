"""The verb `headgate drill` and its options. What it does is `cli.drill`, imported when it runs."""

from __future__ import annotations

from typing import Annotated

import typer

from headgate.cli.options import ConfigOption, JsonOption


def drill(
    route: Annotated[
        str | None, typer.Argument(metavar="ROUTE", help="A route, or any name of a model; else every route.")
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Rehearse an outage of each target, and print what a caller would have seen. No provider is called."""
    from headgate.cli.drill import run_drill

    raise typer.Exit(run_drill(route, config, as_json=as_json))
