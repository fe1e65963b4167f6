"""A provider entry of the document meets the row we know it by, and both meet the environment."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from headgate.config.document import Document, ProviderPart
from headgate.config.variables import expand
from headgate.providers.builtin import PROVIDERS
from headgate.providers.provider import ALL, BEARER, Provider
from headgate.providers.sandbox import SANDBOX
from headgate.types.secret import Secret

DIALECTS = ("openai",)
"""The wire formats an entry may name."""

FALLBACK_PROVIDER = SANDBOX.name
"""The provider that needs nothing: what runs when nothing else is configured."""


class Found(msgspec.Struct, frozen=True):
    """A hosted provider for which the environment holds a credential.

    `missing` names the variables its address needs beside it and that are not set.
    """

    name: str
    variable: str
    secret: str
    missing: tuple[str, ...] = ()


def row_of(name: str) -> Provider | None:
    """The built-in row of a name, or None when the operator has to say everything."""
    return PROVIDERS.get(name)


def is_hosted(row: Provider) -> bool:
    """Whether the provider runs elsewhere, and so needs a credential."""
    return not row.local and row.script is None


def calls_out(document: Document) -> bool:
    """Whether any of its providers is reached over the network, so that proxies matter."""
    rows = [row_of(name) for name in document.providers]
    return any(row is None or row.script is None for row in rows)


def look_up(env: Mapping[str, str], name: str) -> Found | None:
    """A provider's credential in its well-known environment variables; None when there is none, or no such row."""
    row = PROVIDERS.get(name)
    if row is None or not is_hosted(row):
        return None
    for variable in row.env:
        if secret := env.get(variable, "").strip():
            return Found(name, variable, secret, expand(row.base_url, env).missing)
    return None


def found_in(env: Mapping[str, str]) -> list[Found]:
    """Every hosted provider for which the environment holds a credential, in the order of the rows."""
    return [found for name in PROVIDERS if (found := look_up(env, name)) is not None]


def complete(document: Document, env: Mapping[str, str]) -> tuple[Document, dict[str, tuple[str, ...]]]:
    """Fill in the addresses that come from rows, so that nothing later needs the environment.

    Returns the document and, for each provider whose address needs variables that are not set, their names.
    """
    missing: dict[str, tuple[str, ...]] = {}
    entries: dict[str, ProviderPart] = {}
    for name, entry in document.providers.items():
        row = PROVIDERS.get(name)
        if row is not None and entry.base_url is None:
            address = expand(row.base_url, env)
            if address.missing:
                missing[name] = address.missing
            entry = entry.model_copy(update={"base_url": address.text.rstrip("/")})
        entries[name] = entry
    return document.model_copy(update={"providers": entries}), missing


def with_provider(document: Document, found: Found) -> Document:
    """The document with one more provider, whose credential comes from the environment."""
    entry = ProviderPart.model_validate({"api_key": Secret(found.secret)})
    return document.model_copy(update={"providers": {**document.providers, found.name: entry}})


def settled_row(name: str, entry: ProviderPart) -> Provider:
    """The row an entry starts from: the built-in one, or the plain one for a server we do not know."""
    row = PROVIDERS.get(name)
    if row is not None:
        return row
    return Provider(
        name=name,
        docs="",
        base_url=entry.base_url or "",
        auth_header=BEARER,
        operations=ALL,
        local=True,
    )
