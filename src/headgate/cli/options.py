"""Options that several verbs share, and what was asked for with them. Nothing here is slow to import."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer

USAGE_ERROR = 2

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config", "-c", help="The document; else HEADGATE_CONFIG, else ./headgate.yaml, else the environment."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
WorkspaceOption = Annotated[
    str | None, typer.Option("--workspace", metavar="NAME", help="Only in this workspace; else in all of them.")
]
ModelsOption = Annotated[
    list[str] | None,
    typer.Option("--models", metavar="NAMES", help="Model names, with commas between; * stands for any text."),
]
AddressOption = Annotated[
    list[str] | None,
    typer.Option("--address", metavar="CIDR", help="An address or network it may call from; may be repeated."),
]
PolicyOption = Annotated[
    str | None, typer.Option("--policy", metavar="NAME", help="The order of candidates where a request names none.")
]
RpmOption = Annotated[str | None, typer.Option("--rpm", metavar="N", help="Requests a minute.")]
TpmOption = Annotated[str | None, typer.Option("--tpm", metavar="N", help="Tokens a minute.")]
ConcurrentOption = Annotated[str | None, typer.Option("--concurrent", metavar="N", help="Requests at the same time.")]
BudgetOption = Annotated[
    list[str] | None,
    typer.Option("--budget", metavar="USD/PERIOD", help="25/month, or per day, week, total; may be repeated."),
]
UntilOption = Annotated[
    str | None, typer.Option("--until", metavar="DATE", help="After this nothing may be spent: a date, or 30d.")
]
OnExhaustedOption = Annotated[
    str | None,
    typer.Option("--on-exhausted", metavar="WHAT", help="refuse what a budget cannot pay, or ask only cheaper models."),
]
CheaperOption = Annotated[
    str | None,
    typer.Option("--cheaper-than", metavar="IN/OUT", help="What is cheaper: US dollars per million tokens, 0.1/0.4."),
]
ExpiresOption = Annotated[
    str | None, typer.Option("--expires", metavar="DATE", help="From then on it opens nothing: a date, a time, or 30d.")
]
MetadataOption = Annotated[
    list[str] | None, typer.Option("--metadata", metavar="NAME=TEXT", help="Anything worth noting; may be repeated.")
]


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What of a key or an admin token was given on the command line, as text; None is not given."""

    name: str | None = None
    workspace: str | None = None
    models: list[str] | None = None
    addresses: list[str] | None = None
    policy: str | None = None
    rpm: str | None = None
    tpm: str | None = None
    concurrent: str | None = None
    budgets: list[str] | None = None
    until: str | None = None
    on_exhausted: str | None = None
    cheaper_than: str | None = None
    expires: str | None = None
    metadata: list[str] | None = None


class Mistake(Exception):
    """What was asked for cannot be done as it was asked; each line of the message is ready to print."""


def verbs(help: str) -> typer.Typer:
    """An empty group of verbs. Without a verb it prints its help, and ends as any command line that makes no sense."""
    group = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None, help=help)

    @group.callback(invoke_without_command=True, help=help)
    def _root(context: typer.Context) -> None:
        if context.invoked_subcommand is None:
            print(context.get_help())
            raise typer.Exit(USAGE_ERROR)

    return group


def complain(words: object) -> None:
    """Say on stderr what the operator must mend, each problem on a line of its own."""
    for line in str(words).splitlines():
        print(f"headgate: {line}", file=sys.stderr)
