"""`headgate models`: its options and help. What it does is in `models` and beside, which are slower to import."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from headgate.cli.options import ConfigOption, JsonOption

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="What the configured providers sell, at what price. Without a verb: a list.",
)

AtOption = Annotated[
    str | None, typer.Option("--at", metavar="TIME", help="Prices and ages at a time: Unix, a date or RFC 3339.")
]


class Filters(msgspec.Struct, frozen=True, kw_only=True):
    """Which offers are wanted, as it was written; None is not given."""

    can: str | None = None
    provider: str | None = None
    model: str | None = None
    max_price: str | None = None
    min_context: int | None = None
    kind: str | None = None
    sort: str = "name"
    everything: bool = False
    workspace: str | None = None
    at: str | None = None


@app.callback(invoke_without_command=True)
def models(
    context: typer.Context,
    can: Annotated[
        str | None, typer.Option(metavar="WORDS", help="Only what surely can all of these: tools,json_schema,images.")
    ] = None,
    provider: Annotated[str | None, typer.Option(metavar="NAME", help="Only this provider's.")] = None,
    model: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Only names that hold the text, or fit it where it has a *.")
    ] = None,
    max_price: Annotated[
        str | None,
        typer.Option(metavar="USD", help="Only what costs at most so many USD per Mtok: 0.5 for both, or 0.5/1.5."),
    ] = None,
    min_context: Annotated[
        int | None, typer.Option(metavar="TOKENS", min=1, help="Only what is known to hold so many tokens.")
    ] = None,
    kind: Annotated[str | None, typer.Option(metavar="KIND", help="Only chat, embedding, ….")] = None,
    sort: Annotated[str, typer.Option(metavar="BY", help="name, price or context.")] = "name",
    everything: Annotated[
        bool, typer.Option("--all", help="The whole catalogue, also providers that are not configured.")
    ] = False,
    workspace: Annotated[
        str | None, typer.Option(metavar="NAME", help="What this workspace can call; else default.")
    ] = None,
    at: AtOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List what is sold, with prices, where they come from and how old they are."""
    filters = Filters(
        can=can,
        provider=provider,
        model=model,
        max_price=max_price,
        min_context=min_context,
        kind=kind,
        sort=sort,
        everything=everything,
        workspace=workspace,
        at=at,
    )
    if context.invoked_subcommand is not None:
        if filters != Filters() or config is not None or as_json:
            raise typer.BadParameter(f"options go behind the verb {context.invoked_subcommand}")
        return
    from headgate.cli.models import list_models

    raise typer.Exit(list_models(config, filters, as_json=as_json))


@app.command()
def show(
    id: Annotated[str, typer.Argument(metavar="ID", help="A model, another name of it, or provider/id.")],
    workspace: Annotated[
        str | None, typer.Option(metavar="NAME", help="What this workspace can call; else default.")
    ] = None,
    at: AtOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show everything known of a model: every offer, all prices, where each figure comes from, what has changed."""
    from headgate.cli.models_show import show_model

    raise typer.Exit(show_model(config, id, workspace, at, as_json=as_json))


@app.command()
def refresh(
    provider: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this provider's list; may be repeated.")
    ] = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Print every change and every figure that is not used.")
    ] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fetch what providers publish about their models. A running gateway takes it up by itself."""
    from headgate.cli.models_refresh import refresh_lists

    raise typer.Exit(refresh_lists(config, provider, verbose=verbose, as_json=as_json))
