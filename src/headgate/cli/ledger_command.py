"""`headgate ledger`: its options and help. What it does is in `ledger`, which is slower to import."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from headgate.cli.options import ConfigOption, JsonOption, WorkspaceOption

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="What requests used and cost. Without a verb: sums by key.",
)

ByOption = Annotated[
    str,
    typer.Option("--by", metavar="WHAT", help="key, model, provider, day, workspace, credential or deployment."),
]
SinceOption = Annotated[
    str | None, typer.Option("--since", metavar="TIME", help="From this date or time on (UTC unless it says).")
]
UntilOption = Annotated[str | None, typer.Option("--until", metavar="TIME", help="Before this date or time.")]


@app.callback(invoke_without_command=True)
def ledger(
    context: typer.Context,
    by: ByOption = "key",
    since: SinceOption = None,
    until: UntilOption = None,
    workspace: WorkspaceOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """What requests used and cost. Without a verb: requests, tokens and costs summed up."""
    if context.invoked_subcommand is None:
        _sums(config, by, since, until, workspace, as_json)
    if any(value is not None for value in (since, until, workspace, config)) or by != "key" or as_json:
        raise typer.BadParameter(f"options go behind the verb {context.invoked_subcommand}")


@app.command()
def sums(
    by: ByOption = "key",
    since: SinceOption = None,
    until: UntilOption = None,
    workspace: WorkspaceOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print requests, tokens and costs summed up, as without a verb."""
    _sums(config, by, since, until, workspace, as_json)


@app.command()
def export(
    format: Annotated[str, typer.Option("--format", metavar="FORMAT", help="jsonl or csv.")] = "jsonl",
    since: SinceOption = None,
    until: UntilOption = None,
    key: Annotated[str | None, typer.Option(metavar="NAME|ID", help="Only requests with this key.")] = None,
    model: Annotated[str | None, typer.Option(metavar="NAME", help="Only requests for this model.")] = None,
    workspace: WorkspaceOption = None,
    output: Annotated[Path | None, typer.Option(metavar="FILE", help="Where to write; else standard output.")] = None,
    config: ConfigOption = None,
) -> None:
    """Write every request, oldest first: an object or a line each."""
    from headgate.cli.ledger import ledger_export

    raise typer.Exit(ledger_export(config, format, since, until, key, model, workspace, output))


@app.command()
def verify(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Say whether journal, requests and what budgets count agree; exit code 1 when they do not."""
    from headgate.cli.ledger import ledger_verify

    raise typer.Exit(ledger_verify(config, as_json))


def _sums(
    config: Path | None, by: str, since: str | None, until: str | None, workspace: str | None, as_json: bool
) -> None:
    from headgate.cli.ledger import ledger_sums

    raise typer.Exit(ledger_sums(config, by, since, until, workspace, as_json))
