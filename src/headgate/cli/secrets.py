"""`headgate secrets` and `headgate credentials`: the key that seals, and the providers' secrets it seals."""

from __future__ import annotations

from typing import Annotated

import typer

from headgate.cli.options import ConfigOption, JsonOption, WorkspaceOption, verbs

app = verbs("The master key that seals the credentials in the database.")
credentials = verbs("Credentials: secrets that providers issued. They go in, sealed, and never come out again.")

CredentialArgument = Annotated[
    str, typer.Argument(metavar="NAME|ID", help="Its id, or its name, or PROVIDER/NAME where names are not unique.")
]


@app.command()
def rotate(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Make a new master key and seal every credential with it, in one transaction."""
    from headgate.cli.secret_verbs import rotate as run

    run(config, as_json)


@app.command()
def status(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Say which master key there is, and how many credentials it opens."""
    from headgate.cli.secret_verbs import status as run

    run(config, as_json)


@credentials.command()
def add(
    provider: Annotated[
        str, typer.Argument(metavar="PROVIDER", help="One Headgate knows, or one the document declares.")
    ],
    name: Annotated[str, typer.Option(metavar="NAME", help="What it is called in logs and reports.")] = "default",
    weight: Annotated[float, typer.Option(metavar="N", help="Its share of the traffic.")] = 1.0,
    workspace: Annotated[
        str | None, typer.Option(metavar="NAME", help="Whose it is; else the workspace default.")
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Store a credential. The secret is read from standard input, or asked for at a terminal; never an argument."""
    from headgate.cli.credential_verbs import add as run

    run(config, as_json, provider, name, weight, workspace)


@credentials.command("list")
def list_credentials(
    workspace: WorkspaceOption = None, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """List credentials, those of the document too, without their secrets."""
    from headgate.cli.credential_verbs import list_credentials as run

    run(config, as_json, workspace)


@credentials.command()
def disable(
    credential: CredentialArgument,
    workspace: WorkspaceOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send no more requests with a credential, until it is enabled again."""
    from headgate.cli.credential_verbs import disable as run

    run(config, as_json, credential, workspace)


@credentials.command()
def enable(
    credential: CredentialArgument,
    workspace: WorkspaceOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Use a disabled credential again."""
    from headgate.cli.credential_verbs import enable as run

    run(config, as_json, credential, workspace)


@credentials.command()
def delete(
    credential: CredentialArgument,
    workspace: WorkspaceOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Delete a credential and its sealed secret for good."""
    from headgate.cli.credential_verbs import delete as run

    run(config, as_json, credential, workspace)
