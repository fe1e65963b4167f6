"""The `headgate` command. Each verb imports what it needs when it runs, so that `--help` is quick."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from headgate import __version__

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="One endpoint and one key in front of every model provider you already pay.",
)

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config", "-c", help="The document; else HEADGATE_CONFIG, else ./headgate.yaml, else the environment."
    ),
]


def _version(wanted: bool) -> None:
    if wanted:
        print(f"headgate {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which version.")
    ] = False,
) -> None:
    """One endpoint and one key in front of every model provider you already pay."""


@app.command()
def up(
    config: ConfigOption = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on [env HEADGATE_HOST].")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port, 0 for any free one [env HEADGATE_PORT].")
    ] = None,
    new_key: Annotated[
        bool, typer.Option("--new-key", help="Make a new first-run key and revoke the old one.")
    ] = False,
) -> None:
    """Start the gateway."""
    from headgate.cli.up import up as run_up

    raise typer.Exit(run_up(config, host, port, new_key))


@app.command()
def check(
    file: Annotated[Path | None, typer.Argument(help="The document to check.")] = None,
    config: ConfigOption = None,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON Schema of the document and stop.")] = False,
) -> None:
    """Check a document offline and print what would run."""
    from headgate.cli.check import check as run_check

    raise typer.Exit(run_check(file or config, schema))


def main() -> None:
    """Entry point of the `headgate` script."""
    app()
