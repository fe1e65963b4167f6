"""Whether what a key may do makes sense: its expiry, its budgets, what it may ask for."""

from __future__ import annotations

from collections.abc import Iterable

from headgate.config.document import BudgetPart, Document, KeyPart
from headgate.config.findings import Findings
from headgate.config.offering import Offering
from headgate.config.problems import Path
from headgate.routing.names import nearest
from headgate.types.principal import admits

_METADATA_BYTES = 4096


def check_key(key: KeyPart, path: Path, findings: Findings, now: int) -> None:
    """Check what can be judged of a key by itself. `now` is in Unix seconds."""
    if key.expires_at is not None and key.expires_at <= now:
        findings.warn((*path, "expires_at"), "lies in the past: this key opens nothing any more")
    seen: set[str] = set()
    for step, budget in budgets_of(key):
        where = (*path, *step)
        if budget.until is not None and budget.until <= now:
            findings.problem((*where, "until"), "lies in the past: nothing could be spent; choose a later moment")
        if budget.usd == 0:
            findings.warn((*where, "usd"), "is nothing: only models that cost nothing are served")
        if budget.per in seen:
            findings.problem(where, f"is a second budget per {budget.per}; the smaller one is enough")
        seen.add(budget.per)
    if sum(len(name.encode()) + len(text.encode()) for name, text in key.metadata.items()) > _METADATA_BYTES:
        findings.problem((*path, "metadata"), f"is longer than {_METADATA_BYTES} bytes")


def budgets_of(key: KeyPart) -> Iterable[tuple[Path, BudgetPart]]:
    """Each budget of a key, and where it stands under the key."""
    if key.budget is not None:
        yield ("budget",), key.budget
    for index, budget in enumerate(key.budgets):
        yield ("budgets", index), budget


def check_patterns(document: Document, offering: Offering, findings: Findings) -> None:
    """Find model patterns of keys that fit nothing that is configured."""
    if any("*" in name for name in document.models):
        # A route with a star answers to names nobody lists.
        return
    known = list(_names(document, offering))
    for index, key in enumerate(document.keys):
        for number, pattern in enumerate(key.models):
            if pattern == "*" or _fits_something(pattern, known, document, offering):
                continue
            near = nearest(pattern, known, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            path: Path = ("keys", index, "models", number)
            findings.warn(path, f"{findings.shown(path, pattern)} fits no model that is configured{hint}")


def _names(document: Document, offering: Offering) -> Iterable[str]:
    yield from document.models
    yield from offering.names
    yield from offering.aliases
    for provider, ids in offering.pins.items():
        for upstream_id in ids:
            yield f"{provider}/{upstream_id}"


def _fits_something(pattern: str, known: list[str], document: Document, offering: Offering) -> bool:
    if any(admits((pattern,), name) for name in known):
        return True
    # Of some providers any id may be asked for.
    return any(pattern.startswith((f"{provider}/", "*")) for provider in offering.open)
