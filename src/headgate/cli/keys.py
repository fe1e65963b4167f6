"""`headgate keys`: virtual keys, made and changed in the database."""

from __future__ import annotations

from typing import Annotated

import typer

from headgate.cli.options import (
    AddressOption,
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
    PolicyOption,
    RpmOption,
    TpmOption,
    UntilOption,
    WorkspaceOption,
    verbs,
)

app = verbs("Virtual keys: what clients show to be served. A running gateway sees changes within a second.")

KeyArgument = Annotated[str, typer.Argument(metavar="NAME|ID", help="The key's name or id.")]
OwnWorkspaceOption = Annotated[
    str | None, typer.Option("--workspace", metavar="NAME", help="Whose key it is; else the workspace default.")
]


@app.command()
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is called in logs and reports.")],
    workspace: OwnWorkspaceOption = None,
    models: ModelsOption = None,
    address: AddressOption = None,
    policy: PolicyOption = None,
    rpm: RpmOption = None,
    tpm: TpmOption = None,
    concurrent: ConcurrentOption = None,
    budget: BudgetOption = None,
    until: UntilOption = None,
    on_exhausted: OnExhaustedOption = None,
    cheaper_than: CheaperOption = None,
    expires: ExpiresOption = None,
    metadata: MetadataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key and print its secret, this once."""
    from headgate.cli.key_verbs import create as run

    asked = Asked(
        name=name,
        workspace=workspace,
        models=models,
        addresses=address,
        policy=policy,
        rpm=rpm,
        tpm=tpm,
        concurrent=concurrent,
        budgets=budget,
        until=until,
        on_exhausted=on_exhausted,
        cheaper_than=cheaper_than,
        expires=expires,
        metadata=metadata,
    )
    run(config, as_json, asked)


@app.command("list")
def list_keys(workspace: WorkspaceOption = None, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List keys, those of the document too, with what they may do and what they have spent."""
    from headgate.cli.key_verbs import list_keys as run

    run(config, as_json, workspace)


@app.command()
def show(
    key: KeyArgument, workspace: WorkspaceOption = None, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Show one key."""
    from headgate.cli.key_verbs import show as run

    run(config, as_json, key, workspace)


@app.command()
def rotate(
    key: KeyArgument,
    grace: Annotated[
        str, typer.Option(metavar="DURATION", help="How long the old secret works on, to 30d; 0 is not at all.")
    ] = "24h",
    workspace: WorkspaceOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give a key another secret and print it, this once."""
    from headgate.cli.key_verbs import rotate as run

    run(config, as_json, key, workspace, grace)


@app.command()
def disable(
    key: KeyArgument, workspace: WorkspaceOption = None, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Stop a key from working, until it is enabled again."""
    from headgate.cli.key_verbs import disable as run

    run(config, as_json, key, workspace)


@app.command()
def enable(
    key: KeyArgument, workspace: WorkspaceOption = None, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Let a disabled key work again."""
    from headgate.cli.key_verbs import enable as run

    run(config, as_json, key, workspace)


@app.command()
def delete(
    key: KeyArgument, workspace: WorkspaceOption = None, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Delete a key for good. What it spent stays in the ledger."""
    from headgate.cli.key_verbs import delete as run

    run(config, as_json, key, workspace)


@app.command()
def update(
    key: KeyArgument,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="Another name.")] = None,
    workspace: WorkspaceOption = None,
    models: ModelsOption = None,
    address: AddressOption = None,
    policy: PolicyOption = None,
    rpm: RpmOption = None,
    tpm: TpmOption = None,
    concurrent: ConcurrentOption = None,
    budget: BudgetOption = None,
    until: UntilOption = None,
    on_exhausted: OnExhaustedOption = None,
    cheaper_than: CheaperOption = None,
    expires: ExpiresOption = None,
    metadata: MetadataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change a key: what is given replaces what was, `none` takes it away, the rest stays."""
    from headgate.cli.key_verbs import update as run

    asked = Asked(
        name=name,
        workspace=workspace,
        models=models,
        addresses=address,
        policy=policy,
        rpm=rpm,
        tpm=tpm,
        concurrent=concurrent,
        budgets=budget,
        until=until,
        on_exhausted=on_exhausted,
        cheaper_than=cheaper_than,
        expires=expires,
        metadata=metadata,
    )
    run(config, as_json, key, asked)
