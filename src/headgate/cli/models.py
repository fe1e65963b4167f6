"""`headgate models`: what is sold, filtered and in order, and a word about models in use that retire."""

from __future__ import annotations

import sys
from decimal import Decimal, InvalidOperation
from pathlib import Path

from headgate.cli.models_command import Filters
from headgate.cli.models_retiring import retiring
from headgate.cli.models_rows import Row, catalogue_rows, configured_rows
from headgate.cli.offline import chosen, hint, moment, print_object, read_offline, table, told_plainly
from headgate.cli.options import Mistake
from headgate.config.offering import SYNONYMS
from headgate.config.problems import shorten
from headgate.providers.builtin import PROVIDERS
from headgate.providers.sandbox import SANDBOX
from headgate.routing.requirements import WORDS
from headgate.types.money import pusd_per_mtok, render_usd
from headgate.types.principal import admits

OK = 0
UNKNOWN = "unknown"
SORTS = ("name", "price", "context")
_HEAD = ("model", "deployment", "kind", "in USD/Mtok", "out", "context", "can", "price from", "age", "status")
_RIGHT = (3, 4, 5, 8)


def list_models(config: Path | None, filters: Filters, *, as_json: bool) -> int:
    """Print what is wanted. Returns the exit code.

    Raises typer.Exit with code 2, after saying why, for what the operator must mend.
    """
    with told_plainly():
        at = moment(filters.at)
        offline = read_offline(config, filters.workspace)
        configured = configured_rows(offline.snapshot, at)
        rows = [*configured, *(catalogue_rows(offline.snapshot.providers, at) if filters.everything else ())]
        wanted = in_order(select(rows, filters, offline.snapshot.providers), filters.sort)
        if as_json:
            print_object([row.told() for row in wanted])
        else:
            for line in table([_HEAD, *map(_cells, wanted)], _RIGHT) if wanted else [_none(rows)]:
                print(line)
        sys.stdout.flush()
        if not filters.everything and offline.snapshot.providers == (SANDBOX.name,):
            print(f"only {SANDBOX.name} is configured, which is free; --all lists the whole catalogue", file=sys.stderr)
        for warning in retiring(offline, configured, at):
            print(f"warning: {warning}", file=sys.stderr)
    return OK


def _none(rows: list[Row]) -> str:
    if rows:
        return "nothing fits"
    return "of no configured provider it is known what it sells; --all lists the whole catalogue"


def select(rows: list[Row], filters: Filters, configured: tuple[str, ...]) -> list[Row]:
    """The rows that pass every filter. Raises Mistake for a filter that makes no sense."""
    if filters.provider is not None:
        _check_provider(filters.provider, filters, configured)
        rows = [row for row in rows if row.offer.provider == filters.provider]
    if filters.kind is not None:
        kinds = sorted({row.offer.kind for row in rows} | {"chat", "embedding"})
        kind = chosen("--kind", filters.kind, kinds)
        rows = [row for row in rows if row.offer.kind == kind]
    if filters.model is not None:
        rows = [row for row in rows if _is_called(row, filters.model.lower())]
    if filters.can is not None:
        needs = abilities(filters.can)
        rows = [row for row in rows if all(row.can(need) for need in needs)]
    if filters.max_price is not None:
        most = highest_prices(filters.max_price)
        rows = [row for row in rows if _costs_at_most(row, *most)]
    if filters.min_context is not None:
        least = filters.min_context
        rows = [row for row in rows if (row.offer.context_tokens or 0) >= least]
    return rows


def _check_provider(name: str, filters: Filters, configured: tuple[str, ...]) -> None:
    if name in configured or (filters.everything and name in PROVIDERS):
        return
    if name in PROVIDERS:
        raise Mistake(f"--provider: {name} is not configured; with --all its models are listed too")
    known = (*configured, *PROVIDERS)
    raise Mistake(f"--provider: there is no provider {shorten(name)!r}{hint(name, known)}")


def abilities(text: str) -> list[str]:
    """Words with commas between → requirements, in the catalogue's words. Raises Mistake."""
    found = []
    for part in filter(None, (part.strip().lower() for part in text.split(","))):
        word = SYNONYMS.get(part, part)
        if word not in WORDS:
            known = (*WORDS, *SYNONYMS)
            raise Mistake(f"--can: nobody is asked for {shorten(part)!r}{hint(part, known)}")
        found.append(word)
    if not found:
        raise Mistake(f"--can: name one or more of {', '.join((*WORDS, *SYNONYMS))}")
    return found


def highest_prices(text: str) -> tuple[int, int]:
    """`0.5`, or `0.5/1.5` for input and output → pico-dollars for a million tokens. Raises Mistake."""
    entered, slash, written = text.partition("/")
    try:
        return pusd_per_mtok(Decimal(entered)), pusd_per_mtok(Decimal(written if slash else entered))
    except (ValueError, InvalidOperation):
        raise Mistake(
            f"--max-price: {shorten(text)!r} is no price in US dollars per million tokens, such as 0.5 or 0.5/1.5"
        ) from None


def _costs_at_most(row: Row, entered: int, written: int) -> bool:
    price = row.price
    if price.input_pusd_per_mtok is None or price.output_pusd_per_mtok is None:
        return False
    return price.input_pusd_per_mtok <= entered and price.output_pusd_per_mtok <= written


def _is_called(row: Row, text: str) -> bool:
    names = [name.lower() for name in (row.offer.model, row.offer.upstream_id, row.deployment)]
    return any(admits((text,), name) if "*" in text else text in name for name in names)


def in_order(rows: list[Row], by: str) -> list[Row]:
    """By name; by price, the cheapest first; by context, the longest first. What is unknown comes last."""
    chosen("--sort", by, SORTS)
    rows = sorted(rows, key=lambda row: (row.offer.model, row.offer.provider, row.offer.upstream_id))
    if by == "price":
        rows.sort(key=lambda row: (row.rank is None, row.rank or 0))
    elif by == "context":
        rows.sort(key=lambda row: -(row.offer.context_tokens or 0))
    return rows


def _cells(row: Row) -> tuple[str, ...]:
    offer, price = row.offer, row.price
    return (
        offer.model,
        row.deployment,
        offer.kind,
        _usd(price.input_pusd_per_mtok),
        _usd(price.output_pusd_per_mtok),
        UNKNOWN if offer.context_tokens is None else str(offer.context_tokens),
        ",".join(row.abilities) or ("-" if offer.capabilities is not None else UNKNOWN),
        row.source[0] or "-",
        "-" if row.age_days is None else f"{row.age_days} d",
        "; ".join(row.status()) or "-",
    )


def _usd(pusd: int | None) -> str:
    return UNKNOWN if pusd is None else render_usd(pusd)
