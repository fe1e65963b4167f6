"""`headgate explain`: its options and help. What it does is in `explain`, which is slower to import."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from headgate.cli.options import ConfigOption, JsonOption


class ExplainOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What was given on the command line. `wants` are short names of requirements."""

    model: str | None
    wants: tuple[str, ...]
    n: int | None
    context: int | None
    output: int | None
    policy: str | None
    embedding: bool
    body: Path | None
    key: str | None
    workspace: str | None
    at: str | None
    as_json: bool


def explain(
    model: Annotated[
        str | None, typer.Option("--model", "-m", metavar="MODEL", help="The model's name, as a client would write it.")
    ] = None,
    tools: Annotated[bool, typer.Option("--tools", help="The request has tools.")] = False,
    images: Annotated[bool, typer.Option("--images", help="It has images.")] = False,
    schema: Annotated[bool, typer.Option("--schema", help="The answer must keep to a JSON schema.")] = False,
    audio: Annotated[bool, typer.Option("--audio", help="It has audio.")] = False,
    files: Annotated[bool, typer.Option("--files", help="It has files.")] = False,
    reasoning: Annotated[bool, typer.Option("--reasoning", help="It names a reasoning effort.")] = False,
    logprobs: Annotated[bool, typer.Option("--logprobs", help="It wants logprobs.")] = False,
    prefill: Annotated[bool, typer.Option("--prefill", help="It begins the answer itself.")] = False,
    n: Annotated[
        int | None, typer.Option("--n", metavar="N", min=1, max=1000, help="It wants so many answers.")
    ] = None,
    context: Annotated[
        int | None, typer.Option(metavar="TOKENS", min=0, max=10**9, help="Length of the prompt; 1000 if not given.")
    ] = None,
    output: Annotated[
        int | None, typer.Option(metavar="TOKENS", min=1, max=10**9, help="The most that each answer may have.")
    ] = None,
    policy: Annotated[
        str | None, typer.Option(metavar="NAME", help="cheapest, fastest, balanced, ordered or weighted.")
    ] = None,
    embedding: Annotated[bool, typer.Option("--embedding", help="It is for an embedding, not a chat.")] = False,
    body: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A whole request body as JSON, - for standard input.")
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Many requests, one a line: what each policy would cost. - is stdin."),
    ] = None,
    key: Annotated[str | None, typer.Option(metavar="NAME", help="The virtual key that would ask.")] = None,
    workspace: Annotated[
        str | None, typer.Option(metavar="NAME", help="The workspace it would ask in; else default.")
    ] = None,
    at: Annotated[
        str | None, typer.Option(metavar="TIME", help="When it would ask: Unix time, a date or RFC 3339; else now.")
    ] = None,
    url: Annotated[str | None, typer.Option(metavar="URL", help="Ask a running gateway, which knows speeds.")] = None,
    token: Annotated[
        str | None, typer.Option(metavar="TOKEN", help="An admin token for --url [env HEADGATE_ADMIN_TOKEN].")
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say who would serve a request, in which order, at what cost, and why others would not. Nothing is sent."""
    from headgate.cli.explain import run

    flags = {
        "tools": tools,
        "images": images,
        "schema": schema,
        "audio": audio,
        "files": files,
        "reasoning": reasoning,
        "logprobs": logprobs,
        "prefill": prefill,
    }
    options = ExplainOptions(
        model=model,
        wants=tuple(name for name, wanted in flags.items() if wanted),
        n=n,
        context=context,
        output=output,
        policy=policy,
        embedding=embedding,
        body=body,
        key=key,
        workspace=workspace,
        at=at,
        as_json=as_json,
    )
    raise typer.Exit(run(options, config, file, url, token))
