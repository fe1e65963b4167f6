"""`headgate tokens` and `headgate workspaces`: who may use the admin API, and the walls between tenants."""

from __future__ import annotations

from typing import Annotated

import typer

from headgate.cli.options import (
    Asked,
    BudgetOption,
    CheaperOption,
    ConcurrentOption,
    ConfigOption,
    ExpiresOption,
    JsonOption,
    MetadataOption,
    ModelsOption,
    OnExhaustedOption,
    RpmOption,
    TpmOption,
    UntilOption,
    WorkspaceOption,
    verbs,
)

app = verbs("Admin tokens: what opens the admin API. Keys that a token makes never exceed what the token may use.")
workspaces = verbs("Workspaces: each owns its keys, credentials, routes and budgets, and nothing passes between them.")

WorkspaceArgument = Annotated[str, typer.Argument(metavar="NAME", help="The workspace.")]


@app.command()
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Who holds it, as the audit log will say.")],
    role: Annotated[str, typer.Option(metavar="ROLE", help="owner, admin, developer or viewer.")],
    workspace: Annotated[
        str | None, typer.Option(metavar="NAME", help="The one workspace it reaches; else every workspace.")
    ] = None,
    models: ModelsOption = None,
    rpm: RpmOption = None,
    tpm: TpmOption = None,
    concurrent: ConcurrentOption = None,
    budget: BudgetOption = None,
    until: UntilOption = None,
    on_exhausted: OnExhaustedOption = None,
    cheaper_than: CheaperOption = None,
    expires: ExpiresOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make an admin token and print its secret, this once. Limits and budget are those of all keys it makes."""
    from headgate.cli.token_verbs import create_token

    asked = Asked(
        name=name,
        workspace=workspace,
        models=models,
        rpm=rpm,
        tpm=tpm,
        concurrent=concurrent,
        budgets=budget,
        until=until,
        on_exhausted=on_exhausted,
        cheaper_than=cheaper_than,
        expires=expires,
    )
    create_token(config, as_json, role, asked)


@app.command("list")
def list_tokens(workspace: WorkspaceOption = None, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List admin tokens, revoked ones too."""
    from headgate.cli.token_verbs import list_tokens as run

    run(config, as_json, workspace)


@app.command()
def revoke(
    token: Annotated[str, typer.Argument(metavar="NAME|ID", help="The token's name or id.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take an admin token back for good. Keys it made go on working."""
    from headgate.cli.token_verbs import revoke_token

    revoke_token(config, as_json, token)


@workspaces.command("create")
def create_workspace(
    name: WorkspaceArgument,
    metadata: MetadataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a workspace. A name is never used again, because the ledger keeps it."""
    from headgate.cli.token_verbs import create_workspace as run

    run(config, as_json, name, metadata)


@workspaces.command("list")
def list_workspaces(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List workspaces."""
    from headgate.cli.token_verbs import list_workspaces as run

    run(config, as_json)


@workspaces.command("delete")
def delete_workspace(name: WorkspaceArgument, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Delete a workspace that owns nothing any more."""
    from headgate.cli.token_verbs import delete_workspace as run

    run(config, as_json, name)
