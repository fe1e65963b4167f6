"""What was asked for on the command line → what a key or an admin token may do.

The rules are those of the operator's document: its own types and checks judge the values, and what they find is told
with the name of the option.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from pydantic import ValidationError

from headgate.cli.options import Asked, Mistake
from headgate.config.check_keys import budgets_of, check_key, check_patterns
from headgate.config.document import Document, KeyPart, RoutePart
from headgate.config.fields import MIN_KEY_CHARACTERS
from headgate.config.findings import Findings
from headgate.config.keys import budget_of
from headgate.config.offering import Offering, offers_of
from headgate.config.problems import Path, shorten
from headgate.config.source_tree import SourceTree
from headgate.config.stored import workspace_document
from headgate.config.wording import in_words
from headgate.store.records import Everything, KeyChange, KeyFields
from headgate.types.policy import Budget, Exhausted, KeyLimits
from headgate.types.secret import Secret

NONE = "none"
"""Written for a value that is to be taken away."""

# The part is one with a secret. The store makes the real one, and this one goes no further than the part.
_NOT_A_SECRET = Secret("-" * MIN_KEY_CHARACTERS)
_DURATION = re.compile(r"([0-9]{1,9})([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_LIMITS = ("rpm", "tpm", "concurrent")
_OPTIONS = {
    ("name",): "NAME",
    ("workspace",): "--workspace",
    ("models",): "--models",
    ("addresses",): "--address",
    ("policy",): "--policy",
    ("limits", "rpm"): "--rpm",
    ("limits", "tpm"): "--tpm",
    ("limits", "concurrent"): "--concurrent",
    ("budgets",): "--budget",
    ("budgets", "until"): "--until",
    ("budgets", "on_exhausted"): "--on-exhausted",
    ("budgets", "cheaper_than"): "--cheaper-than",
    ("expires_at",): "--expires",
    ("metadata",): "--metadata",
}
"""Place in the part → the option it comes from."""


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What a key or an admin token may do, checked. `given` are the fields of it that were asked for."""

    part: KeyPart
    given: frozenset[str]
    warnings: tuple[str, ...] = ()

    @property
    def limits(self) -> KeyLimits:
        limits = self.part.limits
        return KeyLimits(rpm=limits.rpm, tpm=limits.tpm, concurrent=limits.concurrent) if limits else KeyLimits()

    @property
    def budgets(self) -> tuple[Budget, ...]:
        return tuple(budget_of(part) for _, part in budgets_of(self.part))

    def fields(self) -> KeyFields:
        """A new key."""
        part = self.part
        return KeyFields(
            name=part.name,
            models=tuple(part.models),
            addresses=tuple(str(network) for network in part.addresses),
            policy=part.policy,
            limits=self.limits,
            metadata=dict(part.metadata),
            expires_at=part.expires_at,
        )

    def change(self) -> KeyChange:
        """What to change of a key: only what was given."""
        fields, limits = self.fields(), self.limits
        values = {name: getattr(limits if name in _LIMITS else fields, name) for name in self.given - {"budgets"}}
        return KeyChange(**values)


def read_terms(asked: Asked, now: float) -> Terms:
    """Check what was asked for. `now` is in Unix seconds. Raises Mistake with a line for each problem."""
    values = _values(asked, now)
    try:
        part = KeyPart.model_validate({"name": "-", "secret": _NOT_A_SECRET} | _nested(values))
    except ValidationError as error:
        found = error.errors(include_url=False)
        raise Mistake("\n".join(_told(one["loc"], in_words(one)) for one in found)) from None
    if not part.name.isprintable() or part.name != part.name.strip():
        raise Mistake("NAME: holds a line break, a character that cannot be printed, or spaces around it")
    findings = Findings(_no_source())
    check_key(part, (), findings, int(now))
    problems = [_told(one.path, one.message) for one in findings.problems]
    if part.expires_at is not None and part.expires_at <= now:
        problems.append("--expires: lies in the past")
    if problems:
        # Two budgets have the same `until`.
        raise Mistake("\n".join(dict.fromkeys(problems)))
    warnings = tuple(_told(one.path, one.message) for one in findings.warnings if one.path[-1:] != ("expires_at",))
    return Terms(part=part, given=frozenset(values) - {"workspace"}, warnings=warnings)


def strange_models(
    part: KeyPart, workspace: str, document: Document, everything: Everything, env: Mapping[str, str]
) -> list[str]:
    """A line for each model pattern that fits nothing the workspace can use."""
    sealed = [(one, _NOT_A_SECRET) for one in everything.credentials if one.credential.workspace == workspace]
    own = workspace_document(document, workspace, sealed, env, [])
    # Of the stored routes nothing but the names is looked at.
    routes = {one.name: RoutePart.model_construct() for one in everything.routes if one.workspace == workspace}
    own = own.model_copy(update={"keys": [part], "models": {**own.models, **routes}})
    findings = Findings(_no_source())
    check_patterns(own, Offering(offers_of(own)), findings)
    return [f"--models: {one.message}" for one in findings.warnings]


def seconds_of(text: str, option: str, most: int) -> int:
    """A duration such as 24h in seconds; 0 needs no unit. Raises Mistake."""
    match = _DURATION.fullmatch(text)
    if match is None and text != "0":
        raise Mistake(f"{option}: must be a duration such as 90m, 24h or 7d, not {shorten(text, 40)!r}")
    seconds = int(match[1]) * _SECONDS[match[2]] if match else 0
    if seconds > most:
        raise Mistake(f"{option}: must be at most {most // 86_400} days")
    return seconds


def _no_source() -> SourceTree:
    return SourceTree("", None, {}, {}, {}, [])


def _values(asked: Asked, now: float) -> dict[str, Any]:
    """What was given, by the name of the field; None takes a value away."""
    values: dict[str, Any] = {
        "name": asked.name,
        "workspace": asked.workspace,
        "models": _split(asked.models),
        "addresses": _unless_none(asked.addresses),
        "policy": asked.policy,
        "rpm": asked.rpm,
        "tpm": asked.tpm,
        "concurrent": asked.concurrent,
        "budgets": _budgets(asked, now),
        "metadata": read_metadata(asked.metadata),
        "expires_at": None if asked.expires is None else _moment(asked.expires, now, "--expires"),
    }
    takes_none = {"policy", "expires_at", *_LIMITS}
    return {
        name: None if value == NONE and name in takes_none else value
        for name, value in values.items()
        if value is not None
    }


def _nested(values: dict[str, Any]) -> dict[str, Any]:
    """The same as the document has it: limits together, and nothing that is taken away."""
    limits = {name: values[name] for name in _LIMITS if name in values}
    plain = {name: value for name, value in values.items() if name not in _LIMITS and value is not None}
    return plain | ({"limits": limits} if limits else {})


def _unless_none(items: list[str] | None) -> list[str] | None:
    return [] if items == [NONE] else items


def _split(items: list[str] | None) -> list[str] | None:
    """Every word between commas. Names of models hold no spaces, so one is a comma forgotten."""
    if items is None:
        return None
    words = [word.strip() for item in items for word in item.split(",")]
    for word in words:
        if any(character.isspace() for character in word):
            raise Mistake(f"--models: {shorten(word, 40)!r} holds a space; put commas between names")
    return [word for word in words if word]


def read_metadata(items: list[str] | None) -> dict[str, str] | None:
    """NAME=TEXT, many times; None for None. Raises Mistake."""
    if items is None:
        return None
    pairs: dict[str, str] = {}
    for item in _unless_none(items) or []:
        name, equals, text = item.partition("=")
        if not name or not equals:
            raise Mistake(f"--metadata: write NAME=TEXT, not {shorten(item, 40)!r}")
        try:
            item.encode()
        except UnicodeEncodeError:
            # Bytes of the command line that are not UTF-8 come in as halves of characters, which nothing can keep.
            raise Mistake("--metadata: holds bytes that are not text") from None
        if name in pairs:
            raise Mistake(f"--metadata: {shorten(name, 40)!r} is given twice")
        pairs[name] = text
    return pairs


def _budgets(asked: Asked, now: float) -> list[dict[str, Any]] | None:
    if not asked.budgets or asked.budgets == [NONE]:
        for option, value in (
            ("--until", asked.until),
            ("--on-exhausted", asked.on_exhausted),
            ("--cheaper-than", asked.cheaper_than),
        ):
            if value is not None:
                raise Mistake(f"{option}: goes with --budget; write the budget too")
        return None if asked.budgets is None else []
    if (asked.on_exhausted == Exhausted.CHEAPER) != (asked.cheaper_than is not None):
        raise Mistake("--cheaper-than: goes with --on-exhausted cheaper, and that with it")
    rest: dict[str, Any] = {}
    if asked.until is not None:
        rest["until"] = _moment(asked.until, now, "--until")
    if asked.on_exhausted is not None:
        rest["on_exhausted"] = asked.on_exhausted
    if asked.cheaper_than is not None:
        entered, written = _halves(asked.cheaper_than, "--cheaper-than", "IN/OUT, such as 0.1/0.4")
        rest["cheaper_than"] = {"input_usd_per_mtok": entered, "output_usd_per_mtok": written}
    pairs = [_halves(text, "--budget", "USD/PERIOD, such as 25/month") for text in asked.budgets]
    return [{"usd": usd, "per": per, **rest} for usd, per in pairs]


def _halves(text: str, option: str, form: str) -> tuple[str, str]:
    first, slash, second = text.partition("/")
    if not first or not slash or not second:
        raise Mistake(f"{option}: write {form}, not {shorten(text, 40)!r}")
    return first.strip().removeprefix("$"), second.strip().removeprefix("$")


def _moment(text: str, now: float, option: str) -> str | datetime:
    """A time from now, or the text as it is, which the document's rules judge."""
    match = _DURATION.fullmatch(text)
    if match is None:
        return text
    try:
        return datetime.fromtimestamp(int(now) + int(match[1]) * _SECONDS[match[2]], UTC)
    except (ValueError, OverflowError):
        raise Mistake(f"{option}: {shorten(text, 40)!r} is further away than any date") from None


def _told(path: Path, words: str) -> str:
    """A problem with the option that it comes from."""
    names = tuple(step for step in path if isinstance(step, str))
    options = [_OPTIONS[names[:length]] for length in range(len(names), 0, -1) if names[:length] in _OPTIONS]
    return f"{options[0]}: {words}" if options else words
