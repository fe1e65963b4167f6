"""`headgate models show`: every offer of a model, with all prices and the source of each figure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from headgate.catalog.copies import Seen
from headgate.catalog.identity import load_identity
from headgate.cli.models_history import history
from headgate.cli.models_prices import price_lines
from headgate.cli.models_rows import Row, catalogue_rows, configured_rows
from headgate.cli.offline import moment, near_hint, print_object, read_offline, told_plainly
from headgate.cli.options import Mistake
from headgate.config.problems import shorten
from headgate.routing.requirements import WORDS

OK = 0
_FIGURES = ("context_tokens", "max_input_tokens", "max_output_tokens", "capabilities", "lacks", "deprecated_on")


def show_model(config: Path | None, id: str, workspace: str | None, at_text: str | None, *, as_json: bool) -> int:
    """Print all that is known of a model. Returns the exit code.

    Raises typer.Exit with code 2, after saying why, for what the operator must mend.
    """
    with told_plainly():
        at = moment(at_text)
        offline = read_offline(config, workspace)
        rows = [*configured_rows(offline.snapshot, at), *catalogue_rows(offline.snapshot.providers, at)]
        slug = slug_of(id, rows)
        offered = [row for row in rows if row.offer.model == slug]
        aliases = load_identity({slug}).aliases_of(slug)
        seen = history(offline.data_dir, {(row.offer.provider, row.offer.upstream_id) for row in offered})
        if as_json:
            print_object(_object(slug, aliases, offered, seen))
        else:
            for line in _lines(slug, aliases, offered, seen):
                print(line)
    return OK


def slug_of(name: str, rows: list[Row]) -> str:
    """The model a name stands for: a slug, `provider/id`, a provider's own id, or another spelling. Raises Mistake."""
    for names in (
        {row.offer.model: row.offer.model for row in rows},
        {row.deployment: row.offer.model for row in rows},
    ):
        if name in names:
            return names[name]
    meant = list(dict.fromkeys(row.offer.model for row in rows if row.offer.upstream_id == name))
    if len(meant) > 1:
        raise Mistake(f"{shorten(name)!r} stands for several models; there is {', '.join(meant)}")
    if meant:
        return meant[0]
    identity = load_identity(None)
    meaning = identity.meaning(identity.spelt(name) or name)
    if meaning is not None and any(row.offer.model == meaning.slug for row in rows):
        return meaning.slug
    known = [called for row in rows for called in (row.offer.model, row.deployment)]
    raise Mistake(f"nobody sells a model {shorten(name)!r}{near_hint(name, known)}")


def _object(slug: str, aliases: tuple[str, ...], rows: list[Row], seen: list[Seen]) -> dict[str, Any]:
    return {
        "model": slug,
        "aliases": list(aliases),
        "offers": [
            row.told() | {"prices": price_lines(row.offer), "sources": {name: source for name, source in _sources(row)}}
            for row in rows
        ],
        "changes": seen,
    }


def _sources(row: Row) -> Iterator[tuple[str, str]]:
    offer = row.offer
    if offer.price.known and offer.price_source:
        yield "price", offer.price_source
    for name in _FIGURES:
        if getattr(offer, name) and offer.source_of(name):
            yield name, offer.source_of(name)


def _lines(slug: str, aliases: tuple[str, ...], rows: list[Row], seen: list[Seen]) -> Iterator[str]:
    yield shorten(slug, 200)
    if aliases:
        yield f"  also called {', '.join(shorten(name, 200) for name in aliases)}"
    for row in rows:
        yield ""
        yield from _offer_lines(row)
    if seen:
        yield ""
        yield "changes of providers' lists:"
        yield from (_change_line(one) for one in seen)


def _offer_lines(row: Row) -> Iterator[str]:
    offer, sources = row.offer, dict(_sources(row))
    yield f"{shorten(row.deployment, 200)}  {offer.kind}{'' if row.configured else '  not configured'}"
    for words, figure in price_lines(offer).items():
        yield f"  {words}: {figure}"
    if offer.price_source:
        yield f"  prices from {offer.price_source}{'' if row.age_days is None else f', {row.age_days} days old'}"
    for label, name in (
        ("context", "context_tokens"),
        ("longest prompt", "max_input_tokens"),
        ("longest answer", "max_output_tokens"),
    ):
        if (value := getattr(offer, name)) is not None:
            yield f"  {label} {value} tokens{_from(sources.get(name))}"
    unsaid = [need for need in WORDS if row.can(need) is None]
    if row.abilities:
        yield f"  can {', '.join(WORDS[need] for need in row.abilities)}{_from(sources.get('capabilities'))}"
    if lacking := [WORDS[need] for need in WORDS if row.can(need) is False]:
        yield f"  cannot {', '.join(lacking)}"
    if unsaid:
        yield f"  nobody says: {', '.join(WORDS[need] for need in unsaid)}"
    if offer.quantization:
        yield f"  weights stored as {offer.quantization}"
    if status := row.status():
        yield f"  {'; '.join(status)}"


def _from(source: str | None) -> str:
    return f" ({source})" if source else ""


def _change_line(one: Seen) -> str:
    at = f"{datetime.fromtimestamp(one.at.timestamp(), UTC):%Y-%m-%d %H:%M}"
    before, after = one.before or "-", one.after or "-"
    return shorten(f"  {at}  {one.provider}/{one.id}  {one.figure}  {before} → {after}  ({one.source})", 400)
