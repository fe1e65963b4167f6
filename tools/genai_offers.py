"""Writes the offers that genai-prices knows and the catalogue lacks, as rows of the catalogue.

    .venv/bin/python tools/genai_offers.py > src/headgate/catalog/data/genai_prices.jsonl

Counts of what was taken and left out go to stderr. A row of genai-prices says which price applies to the ids that it
matches, never which model they are. So only a row's own id is taken, and it is given the weights of another name only
where the identity table lists that very id, letter case aside. Every row is one source's word alone: `unconfirmed`.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from importlib import metadata, resources
from typing import Any, NamedTuple

from genai_prices.data import providers
from genai_prices.types import (
    ClauseEquals,
    ClauseOr,
    ConditionalPrice,
    MatchLogic,
    ModelInfo,
    ModelPrice,
    StartDateConstraint,
    TieredPrices,
    TimeOfDateConstraint,
)

from headgate.catalog.identity import Identity, load_identity

Row = dict[str, Any]

VERSION = "0.2.3"
AS_OF = date(2026, 11, 9)
"""The newest price of this version that is not announced for later."""


class Seller(NamedTuple):
    """One provider there, as a provider of ours."""

    provider: str
    as_of: date | None = AS_OF
    lower_case: bool = False
    """Its ids are in lower case, whatever the row is called."""
    own_ids: bool = False
    """Each row is named by an id of its API, also where it matches by the beginning of a name."""
    needs_window: bool = True
    """Rows without a context window are old imports."""
    host: str = ""
    """Ends an id at a router: `org/name:host`."""


# Not here are providers of whose rows the catalogue has all that can be used: the others are ids of other hosts, ids
# long retired, or ids that are silently redirected (OpenAI, Anthropic, Google, xAI, DeepSeek).
SELLERS = {
    "moonshotai": Seller("moonshot", own_ids=True, needs_window=False),
    "zai": Seller("zai", lower_case=True, needs_window=False),
    "cloudflare": Seller("cloudflare", needs_window=False),
    **{
        name: Seller(name)
        for name in ("cerebras", "cohere", "fireworks", "groq", "mistral", "novita", "openrouter", "perplexity")
    },
    "together": Seller("together"),
    # The router's ids are https://huggingface.co/docs/inference-providers: a repository, and the host after a colon.
    **{
        f"huggingface_{host}": Seller("huggingface", as_of, needs_window=False, host=host)
        for host, as_of in {
            "cerebras": AS_OF,
            "fireworks-ai": AS_OF,
            "groq": None,  # visibly old, like the others without a date
            "hyperbolic": None,
            "nebius": None,
            "novita": AS_OF,
            "nscale": AS_OF,
            "ovhcloud": AS_OF,
            "publicai": AS_OF,
            "sambanova": None,
            "together": AS_OF,
        }.items()
    },
}

CLASSES = {
    "input_mtok": "input_usd_per_mtok",
    "output_mtok": "output_usd_per_mtok",
    "cache_read_mtok": "cached_input_usd_per_mtok",
    "cache_write_mtok": "cache_write_usd_per_mtok",
}
APART = {"cache_write_1h_mtok", "web_searches_kcount", "storage_searches_kcount"}
"""What costs extra, and only when asked for."""

NO_TEXT = re.compile(
    r"audio|clip|image|indictrans|live|lyria|m2m100|moderation|music|ocr|realtime|transcribe|tts|veo|video|voice|voxtral"
    r"|whisper|turbo-instruct"
)
"""Ids of models that do not chat."""
UNSTABLE = re.compile(r"^~|:batch$")
"""OpenRouter's names for whatever is newest, and for batches."""

CEILINGS = {
    "chat": (Decimal(200), Decimal(700)),
    "embedding": (Decimal(5), Decimal(5)),
    "rerank": (Decimal(5), Decimal(5)),
}
FLOOR = Decimal("0.001")
WINDOW = range(256, 20_000_001)
MOST_DIGITS = 6
"""A price with more digits is a division that did not come out even."""


class LeftOut(Exception):
    """Why a row is not taken."""


def main() -> None:
    """Print the rows, sorted, and count what became of every model."""
    if metadata.version("genai-prices") != VERSION:
        sys.exit(
            f"genai-prices {metadata.version('genai-prices')} is installed; look at {VERSION} here, and AS_OF, first"
        )
    counts: Counter[str] = Counter()
    rows = sorted(_rows(counts), key=lambda row: (row["provider"], row["upstream_id"]))
    for row in rows:
        print(json.dumps(row, ensure_ascii=False))
    for what, count in sorted(counts.items()):
        print(f"{count:5} {what}", file=sys.stderr)


def _rows(counts: Counter[str]) -> Iterator[Row]:
    identity = load_identity(None)
    known = _catalogue()
    scoped = {row["model"].partition(":")[2] for row in known.values() if ":" in row["model"]}
    for source in providers:
        seller = SELLERS.get(source.id)
        if seller is None:
            counts["left out: provider not taken"] += len(source.models)
            continue
        for model in source.models:
            try:
                row = _row(seller, model, known, identity, scoped)
            except LeftOut as reason:
                counts[f"left out: {reason}"] += 1
            else:
                counts[f"taken: {seller.provider}"] += 1
                yield row


def _catalogue() -> dict[tuple[str, str], Row]:
    text = resources.files("headgate.catalog").joinpath("data/offers.jsonl").read_text("utf-8")
    rows = [json.loads(line) for line in text.splitlines()]
    return {(row["provider"], row["upstream_id"]): row for row in rows}


def _row(
    seller: Seller, model: ModelInfo, known: dict[tuple[str, str], Row], identity: Identity, scoped: set[str]
) -> Row:
    unpriced = [own for own in exact_ids(model.match) if _is_unpriced(known.get((seller.provider, own)))]
    upstream_id = unpriced[0] if unpriced else own_id(seller, model)
    if not unpriced and (seller.provider, upstream_id) in known:
        raise LeftOut("in the catalogue")
    if NO_TEXT.search(upstream_id.lower()) or UNSTABLE.search(upstream_id):
        raise LeftOut("no text, or no fixed model")
    if seller.needs_window and model.context_window is None and not unpriced:
        raise LeftOut("old")
    price, changes = prices_of(model)
    kind = kind_of(upstream_id, price)
    meaning = None if upstream_id in scoped else identity.meaning(identity.spelt(upstream_id) or upstream_id)
    if meaning is None or ":" in meaning.slug:
        row: Row = {"model": f"{seller.provider}:{upstream_id}"}
    else:
        row = {"model": meaning.slug}
    row |= {"provider": seller.provider, "upstream_id": upstream_id, "kind": kind}
    if meaning is not None and meaning.variant is not None:
        row["variant"] = meaning.variant
    if model.context_window is not None and model.context_window in WINDOW:
        row["context_tokens"] = model.context_window
    row |= sane(kind, rates_of(price))
    if tiers := tiers_of(price):
        row["tiers"] = [{"above_tokens": above} | sane(kind, rates) for above, rates in tiers.items()]
        _check_tiers(row)
    if changes:
        row["price_changes"] = [{"from": day.isoformat()} | sane(kind, rates_of(then)) for day, then in changes]
    row["status"] = "retired" if model.deprecated else "unconfirmed"
    mirror = " (HF router mirror)" if seller.host else ""
    as_of = None if seller.as_of is None else seller.as_of.isoformat()
    row["sources"] = [{"name": f"genai-prices {VERSION}{mirror}", "as_of": as_of}]
    return row


def _is_unpriced(row: Row | None) -> bool:
    return row is not None and "unit_prices" not in row and not any(name in row for name in CLASSES.values())


def exact_ids(match: MatchLogic) -> list[str]:
    """The ids that a row matches as a whole."""
    if isinstance(match, ClauseEquals):
        return [match.equals]
    if isinstance(match, ClauseOr):
        return [own for clause in match.or_ for own in exact_ids(clause)]
    return []


def own_id(seller: Seller, model: ModelInfo) -> str:
    """The one id that a row is about. Raises LeftOut where it stands for a family."""
    exact = exact_ids(model.match)
    if len(exact) == 1 and exact[0].lower() != model.id.lower():
        return exact[0]
    if not seller.own_ids and model.id.lower() not in [own.lower() for own in exact]:
        raise LeftOut("no exact id")
    upstream_id = model.id.lower() if seller.lower_case else model.id
    return f"{upstream_id}:{seller.host}" if seller.host else upstream_id


def prices_of(model: ModelInfo) -> tuple[ModelPrice, list[tuple[date, ModelPrice]]]:
    """The price on the day of the data, and those announced for later. Raises LeftOut for prices by the hour."""
    if isinstance(model.prices, ModelPrice):
        return model.prices, []
    now, later = model.prices[0].prices, []
    for priced in model.prices:
        start = _start(priced)
        if start is None or start <= AS_OF:
            now = priced.prices
        else:
            later.append((start, priced.prices))
    return now, later


def _start(priced: ConditionalPrice) -> date | None:
    if isinstance(priced.constraint, TimeOfDateConstraint):
        raise LeftOut("price by the hour")
    return priced.constraint.start_date if isinstance(priced.constraint, StartDateConstraint) else None


def kind_of(upstream_id: str, price: ModelPrice) -> str:
    """What a model does, by its name and by what is paid for. Raises LeftOut where that does not say."""
    rates = rates_of(price)
    if "embed" in upstream_id.lower() or re.search(r"/bge-(?!reranker)", upstream_id):
        return "embedding"
    if "rerank" in upstream_id.lower():
        return "rerank"
    if "input_usd_per_mtok" in rates and "output_usd_per_mtok" in rates:
        return "chat"
    raise LeftOut("no price" if not rates else "kind unknown")


def rates_of(price: ModelPrice) -> dict[str, Decimal]:
    """Base prices by our names. Raises LeftOut where something else is charged for that every request may have."""
    listed = {name: value for name, value in price.__dict__.items() if value is not None}
    if listed.keys() - CLASSES.keys() - APART:
        raise LeftOut("paid by something else than tokens of text")
    return {ours: _base(listed[theirs]) for theirs, ours in CLASSES.items() if theirs in listed}


def _base(value: Decimal | TieredPrices) -> Decimal:
    return value.base if isinstance(value, TieredPrices) else value


def tiers_of(price: ModelPrice) -> dict[int, dict[str, Decimal]]:
    """Prices of long prompts by the length they begin after; what is flat follows the base price."""
    tiered = {ours: getattr(price, theirs) for theirs, ours in CLASSES.items()}
    tiered = {name: value for name, value in tiered.items() if isinstance(value, TieredPrices)}
    starts = sorted({tier.start for value in tiered.values() for tier in value.tiers})
    return {
        start: {
            name: [value.base, *(tier.price for tier in value.tiers if tier.start <= start)][-1]
            for name, value in tiered.items()
        }
        for start in starts
    }


def sane(kind: str, rates: dict[str, Decimal]) -> Row:
    """The prices that pass the rules of the catalogue, as it spells them. Raises LeftOut when a main one does not."""
    rates = {name: value for name, value in rates.items() if value}  # zero is unknown
    entered, written = rates.get("input_usd_per_mtok"), rates.get("output_usd_per_mtok")
    if kind != "chat":
        rates.pop("output_usd_per_mtok", None)
    elif entered is None or written is None:
        raise LeftOut("free, or unknown")
    elif not entered * Decimal("0.9") <= written <= entered * 60:
        raise LeftOut("output price does not go with input price")
    most_in, most_out = CEILINGS[kind]
    for name, value in list(rates.items()):
        main = name in {"input_usd_per_mtok", "output_usd_per_mtok"}
        ceiling = most_out if name.startswith("output") else most_in
        uneven = len(value.normalize().as_tuple().digits) > MOST_DIGITS
        if main and (uneven or not FLOOR <= value <= ceiling):
            raise LeftOut("absurd price")
        dear = name.startswith("cached") and entered is not None and value >= entered
        if uneven or dear or not 0 < value <= ceiling * 3:
            del rates[name]
    return {name: f"{value.normalize():f}" for name, value in rates.items()}


def _check_tiers(row: Row) -> None:
    window = row.get("context_tokens")
    for tier in row["tiers"]:
        if window is not None and tier["above_tokens"] >= window:
            raise LeftOut("tier beyond the window")
        if Decimal(tier.get("input_usd_per_mtok", "Infinity")) < Decimal(row["input_usd_per_mtok"]):
            raise LeftOut("long prompts cheaper")


if __name__ == "__main__":
    main()
