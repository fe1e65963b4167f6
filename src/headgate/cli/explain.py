"""`headgate explain`: one request, planned offline or by a running gateway; or a file of them, priced."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec

from headgate.cli.explain_batch import price_file
from headgate.cli.explain_command import ExplainOptions
from headgate.cli.explain_remote import ask_gateway
from headgate.cli.explain_table import plan_table
from headgate.cli.offline import Offline, chosen, hint, moment, print_object, read_offline, told_plainly
from headgate.cli.options import Mistake, complain
from headgate.config.problems import shorten
from headgate.routing.hypothetical import NOBODY, Wish, answer, question, requirements_of
from headgate.routing.observed import Observed
from headgate.routing.planner import Planner
from headgate.types.deployment import Operation
from headgate.types.policy import Order
from headgate.types.principal import Principal
from headgate.wire import json

OK = 0
NOBODY_CAN = 1
MOST_BODY_BYTES = 64 * 2**20
EVEN = 0.5
"""In the place of every throw of dice, so that the same question has the same answer."""


class Told(msgspec.Struct, frozen=True):
    """A plan as the object for people and programs, and why nobody can serve; None where somebody can."""

    plan: dict[str, Any]
    advice: str | None


def run(options: ExplainOptions, config: Path | None, file: Path | None, url: str | None, token: str | None) -> int:
    """Print the plan. Returns the exit code: 0, or 1 when nobody can serve the request.

    Raises typer.Exit with code 2, after saying why, for what the operator must mend.
    """
    with told_plainly():
        order = None if options.policy is None else Order(chosen("--policy", options.policy, list(Order)))
        if file is not None:
            return _price(options, config, file, url)
        if url is not None:
            _refuse_beside("--url", config=config, at=options.at)
            told = _remotely(options, url, token)
        else:
            told = _offline(options, order, read_offline(config, options.workspace))
        if options.as_json:
            print_object(told.plan)
        else:
            for line in plan_table(told.plan):
                print(line)
        if told.advice is None:
            return OK
        sys.stdout.flush()
        complain(told.advice)
        return NOBODY_CAN


def _offline(options: ExplainOptions, order: Order | None, offline: Offline) -> Told:
    planner = Planner(Observed(), draw=lambda: EVEN)
    principal = principal_of(options.key, offline)
    made = answer(
        planner,
        offline.snapshot,
        principal,
        question(_wish(options)),
        order=order,
        at=moment(options.at),
        now=0.0,
    )
    return Told(made.told, made.advice)


def principal_of(named: str | None, offline: Offline) -> Principal:
    """The key of a name that the document declares, else one that may use everything. Raises Mistake."""
    if named is None:
        return NOBODY
    known = {one.key: one for one in offline.principals}
    if named not in known:
        there = hint(named, known) if known else "; it declares none"
        raise Mistake(f"--key: the document declares no key {shorten(named)!r} in this workspace{there}")
    return known[named]


def _wish(options: ExplainOptions) -> Wish:
    return Wish(
        model=_model(options),
        operation=Operation.EMBEDDING if options.embedding else None,
        requires=requirements_of(*options.wants, answers=options.n),
        context=options.context,
        output=options.output,
        answers=options.n,
        body=_body(options.body),
    )


def _model(options: ExplainOptions) -> str | None:
    if not options.model and options.body is None:
        raise Mistake("say which model: -m MODEL")
    return options.model


def _body(path: Path | None) -> bytes | None:
    if path is None:
        return None
    try:
        with sys.stdin.buffer if str(path) == "-" else path.open("rb") as stream:
            body = stream.read(MOST_BODY_BYTES + 1)
    except OSError as error:
        raise Mistake(f"--body: {shorten(str(path))} cannot be read: {error.strerror or error}") from None
    if len(body) > MOST_BODY_BYTES:
        raise Mistake(f"--body: {shorten(str(path))} is larger than {MOST_BODY_BYTES // 2**20} MB")
    return body


def _remotely(options: ExplainOptions, url: str, token: str | None) -> Told:
    fields: dict[str, Any] = {"model": _model(options), **dict.fromkeys(options.wants, True)}
    fields |= {"n": options.n, "context": options.context, "output": options.output}
    fields |= {"policy": options.policy, "key": options.key}
    fields["operation"] = "embedding" if options.embedding else None
    body = _body(options.body)
    if body is not None:
        try:
            fields["body"] = json.parse_body(body)
        except json.DecodeError:
            raise Mistake("--body: it must hold a JSON object") from None
    asked = {name: value for name, value in fields.items() if value is not None}
    plan = ask_gateway(url, token, options.workspace, asked)
    advice = plan.pop("advice", None)
    return Told(plan, advice)


def _price(options: ExplainOptions, config: Path | None, file: Path, url: str | None) -> int:
    _refuse_beside(
        "--file",
        url=url,
        body=options.body,
        n=options.n,
        context=options.context,
        output=options.output,
        policy=options.policy,
        embedding=options.embedding or None,
        **dict.fromkeys(options.wants, True),
    )
    offline = read_offline(config, options.workspace)
    return price_file(
        file, offline, principal_of(options.key, offline), options.model, moment(options.at), as_json=options.as_json
    )


def _refuse_beside(option: str, **others: object) -> None:
    given = [name for name, value in others.items() if value is not None]
    if given:
        raise Mistake(f"--{given[0]} makes no sense beside {option}")
