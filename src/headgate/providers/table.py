"""The table of providers in `docs/providers.md`, made from the rows: `python -m headgate.providers.table`."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterable

from headgate.providers.builtin import ROWS
from headgate.providers.provider import Provider
from headgate.providers.quirks import QUIRKS
from headgate.types.deployment import Operation, StreamUsage

_INTRODUCTION = """\
# Providers

<!-- Made by `python -m headgate.providers.table > docs/providers.md`; edit the rows, not this page. -->

Headgate knows these providers by name. With no configuration file, those whose environment variable is set are used;
a local one, which needs no credential, is used when the configuration names it. Any other server that speaks the
OpenAI dialect is declared with `dialect: openai` and a `base_url`.
"""

_QUIRKS = """\
## Quirks

Where a provider's reading of the dialect differs, the request is edited on its way there and nowhere else. What cannot
be honoured is named in the reply's `x-headgate-dropped` header. In brackets stands what a fact rests on where it is not
the provider's documentation; "adapters" are the client libraries that speak to the provider.
"""


def render_page(rows: Iterable[Provider]) -> str:
    """The whole page as Markdown."""
    rows = tuple(rows)
    providers = "\n".join(_provider_line(row) for row in rows)
    quirks = "\n".join(_quirk_line(name, rows) for name in sorted(QUIRKS))
    return (
        f"{_INTRODUCTION}\n"
        "| name | credential from | base URL | serves | usage in streams | quirks |\n|---|---|---|---|---|---|\n"
        f"{providers}\n\n{_QUIRKS}\n"
        "| quirk | what it does | used for |\n|---|---|---|\n"
        f"{quirks}\n"
    )


def _provider_line(row: Provider) -> str:
    credential = "none needed" if row.local or row.script else ", ".join(f"`{name}`" for name in row.env)
    base_url = "in this process" if row.script else f"`{row.base_url}`"
    serves = ", ".join(operation.value for operation in Operation if operation in row.operations)
    usage = "always" if row.stream_usage is StreamUsage.ALWAYS else "when asked"
    if row.usage_aside:
        usage += f", also in `{row.usage_aside}`"
    quirks = ", ".join(f"`{name}`" for name in row.quirks)
    name = row.name if row.script else f"[{row.name}]({row.docs})"
    return f"| {name} | {credential} | {base_url} | {serves} | {usage} | {quirks} |"


def _quirk_line(name: str, rows: tuple[Provider, ...]) -> str:
    said = inspect.cleandoc(QUIRKS[name].__doc__ or "").split("\n\n")[0].replace("\n", " ")
    users = ", ".join(row.name for row in rows if name in row.quirks)
    return f"| `{name}` | {said} | {users} |"


if __name__ == "__main__":
    sys.stdout.write(render_page(ROWS))
