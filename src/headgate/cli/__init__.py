"""The `headgate` command. Each verb imports what it needs when it runs, so that `--help` is quick."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Protocol, runtime_checkable

import typer

from headgate import __version__
from headgate.cli import (
    drill_command,
    explain_command,
    keys,
    ledger_command,
    models_command,
    secrets,
    simulate_command,
    tokens,
)
from headgate.cli.options import USAGE_ERROR, ConfigOption

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    # Plain help: in the other modes `[env NAME]` is taken for markup and vanishes, and errors come in boxes.
    rich_markup_mode=None,
    help="One endpoint and one key in front of every model provider you already pay.",
)

app.add_typer(keys.app, name="keys")
app.add_typer(tokens.app, name="tokens")
app.add_typer(tokens.workspaces, name="workspaces")
app.add_typer(secrets.credentials, name="credentials")
app.add_typer(secrets.app, name="secrets")
app.add_typer(ledger_command.app, name="ledger")
app.add_typer(models_command.app, name="models")
app.command("explain")(explain_command.explain)
app.command("drill")(drill_command.drill)
app.command("simulate")(simulate_command.simulate)

INTERRUPTED = 130


@runtime_checkable
class _Sayable(Protocol):
    """What errors of a command line have in common: the message with the option it is about."""

    def format_message(self) -> str: ...


def _version(wanted: bool) -> None:
    if wanted:
        print(f"headgate {__version__}")
        raise typer.Exit


def _port(text: str) -> int:
    from headgate.settings import SettingsError, parse_port

    try:
        return parse_port(text, "--port")
    except SettingsError as error:
        raise typer.BadParameter(str(error).removeprefix("--port: ")) from None


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which version.")
    ] = False,
) -> None:
    """One endpoint and one key in front of every model provider you already pay."""
    if context.invoked_subcommand is None:
        print(context.get_help())
        raise typer.Exit(USAGE_ERROR)


@app.command()
def up(
    config: ConfigOption = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on [env HEADGATE_HOST].")] = None,
    port: Annotated[
        int | None,
        typer.Option(parser=_port, metavar="PORT", help="Port, 0 for any free one [env HEADGATE_PORT]."),
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
    """Entry point of the `headgate` script. A command line that makes no sense is one line, and exit code 2."""
    try:
        code = app(standalone_mode=False)
    except typer.TyperException as error:
        words = error.format_message() if isinstance(error, _Sayable) else str(error)
        print(f"headgate: {' '.join(words.split())}", file=sys.stderr)
        code = USAGE_ERROR
    except typer.Abort:
        # Ctrl-C at a prompt.
        code = INTERRUPTED
    sys.exit(code)
