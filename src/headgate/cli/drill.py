"""`headgate drill`: an outage of each target of a route, rehearsed, and what a caller would have seen of it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec

from headgate.cli.drill_play import Seen, play
from headgate.cli.drill_stage import Stage
from headgate.cli.offline import print_object, read_offline, table, told_plainly
from headgate.cli.options import Mistake
from headgate.routing.hypothetical import NOBODY, Wish, question
from headgate.routing.nobody import nobody_can
from headgate.routing.observed import Observed
from headgate.routing.planner import Planner
from headgate.routing.resolve import not_found
from headgate.types.deployment import Operation
from headgate.types.principal import DEFAULT_WORKSPACE
from headgate.types.request import Plan
from headgate.types.snapshot import Snapshot

SURVIVED = 0
NOT_SURVIVED = 1
EVEN = 0.5

FAULTS = {
    "429": "rate limited",
    "quota": "quota used up",
    "500": "internal error",
    "slow-first-token": "slow first token",
    "stall": "stalls half way",
    "cut": "cut half way",
    "hang": "never replies",
    "404": "model is gone",
}
"""Faults of the sandbox that are rehearsed, and what they are called in the table."""

EVERYBODY = "every target"
WORST = "500"
RESTART = "restart"
_HEAD = ("fails", "how", "as", "the client saw", "answered by", "attempts", "recovered", "time s")


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One rehearsed request. `fails` is a target or `EVERYBODY`; `single` for an outage of one target, which a route
    should survive."""

    model: str
    fails: str
    fault: str
    stream: bool
    single: bool
    seen: Seen

    @property
    def survived(self) -> bool:
        return self.seen.error is None


class Drill(msgspec.Struct, frozen=True, kw_only=True):
    """All that was rehearsed for one name of a model, as a workspace reads it."""

    workspace: str
    model: str
    targets: tuple[str, ...]
    cases: tuple[Case, ...]
    advice: tuple[str, ...]

    @property
    def survived(self) -> bool:
        return all(case.survived for case in self.cases if case.single)


def run_drill(wanted: str | None, config: Path | None, *, as_json: bool) -> int:
    """Rehearse and print. Returns the exit code: 0 when every outage of one target is survived, else 1.

    Raises typer.Exit with code 2, after saying why, for what the operator must mend.
    """
    with told_plainly():
        drills = _rehearsed(read_offline(config).snapshot, wanted)
        if as_json:
            print_object({"survived": all(one.survived for one in drills), "drills": [_told(one) for one in drills]})
        else:
            for place, drill in enumerate(drills):
                _print(drill, first=place == 0)
        sys.stdout.flush()
    return SURVIVED if all(one.survived for one in drills) else NOT_SURVIVED


def _rehearsed(snapshot: Snapshot, wanted: str | None) -> list[Drill]:
    """The drills of one name, else of every route of every workspace. Raises Mistake."""
    own = {DEFAULT_WORKSPACE: snapshot, **snapshot.workspaces}
    if wanted is not None:
        having = [name for name, one in own.items() if wanted in one.routes]
        return [rehearse(Stage(own[name]), wanted, name) for name in having or [DEFAULT_WORKSPACE]]
    # What a name with a star stands for, a request has to say.
    found = [(name, model) for name, one in own.items() for model in one.routes]
    if not found:
        raise Mistake("there are no routes to rehearse; name a model: headgate drill MODEL")
    stages = {name: Stage(own[name]) for name, _ in found}
    return [rehearse(stages[name], model, name) for name, model in found]


def rehearse(stage: Stage, model: str, workspace: str = DEFAULT_WORKSPACE) -> Drill:
    """Every fault of every target of a model, and at last of all of them. Raises ModelNotFound, InvalidRequest."""
    operation, made = _plan(stage.snapshot, model)
    targets = tuple(dict.fromkeys(f"{one.deployment.upstream.provider}/{one.upstream_id}" for one in made.candidates))
    streams = (False,) if operation is Operation.EMBEDDING else (False, True)
    cases: list[Case] = []
    for failing in [*((one,) for one in targets), targets]:
        everybody = len(failing) > 1 or (len(targets) == 1 and bool(cases))
        for fault in (WORST,) if everybody else FAULTS:
            stage.failing, stage.fault = frozenset(failing), fault
            fails = EVERYBODY if everybody else failing[0]
            cases += [
                Case(
                    model=model,
                    fails=fails,
                    fault=fault,
                    stream=stream,
                    single=not everybody,
                    seen=play(stage, model, operation, stream=stream),
                )
                for stream in streams
            ]
    return Drill(
        workspace=workspace, model=model, targets=targets, cases=tuple(cases), advice=_advice(model, targets, cases)
    )


def _plan(snapshot: Snapshot, model: str) -> tuple[Operation, Plan]:
    """What may be asked of a model, chat if it can, and who would be asked."""
    planner = Planner(Observed(), draw=lambda: EVEN)
    refused: Exception | None = None
    for operation in (Operation.CHAT, Operation.EMBEDDING, Operation.COMPLETION):
        asked = question(Wish(model=model, operation=operation))
        made = planner.plan_for(snapshot, NOBODY, asked.envelope, asked.extent, order=None, at=0.0, now=0.0)
        if made is None:
            raise not_found(snapshot, NOBODY, model)
        if made.candidates:
            return operation, made
        refused = refused or nobody_can(snapshot, NOBODY, asked.envelope, asked.extent, made)
    assert refused is not None, "three were asked"
    raise refused


def _advice(model: str, targets: tuple[str, ...], cases: list[Case]) -> tuple[str, ...]:
    """What to add, where an outage of one target reached the client."""
    lost = [case for case in cases if case.single and not case.survived]
    if not lost:
        return ()
    fails = ", ".join(dict.fromkeys(case.fails for case in lost))
    if len(targets) == 1:
        return (f"{model}: nobody answers in the place of {fails}; add a second target or a `fallback`",)
    half = [case for case in lost if case.stream and case.seen.status == 200]
    said = []
    if half:
        said.append(f"{model}: streams of {half[0].fails} that break reach the client; `hold: full` keeps them back")
    if len(half) < len(lost):
        kinds = ", ".join(dict.fromkeys(FAULTS[case.fault] for case in lost if case not in half))
        said.append(f"{model}: an outage of {fails} reaches the client ({kinds}); see its `retries` and `timeouts`")
    return tuple(said)


def _told(drill: Drill) -> dict[str, Any]:
    told = msgspec.to_builtins(drill)
    for one, case in zip(told["cases"], drill.cases, strict=True):
        one["survived"] = case.survived
    return {**told, "survived": drill.survived}


def _print(drill: Drill, *, first: bool) -> None:
    if not first:
        print()
    rows = [_HEAD, *(_row(case) for case in drill.cases)]
    whose = "" if drill.workspace == DEFAULT_WORKSPACE else f" of the workspace {drill.workspace}"
    print(f"{drill.model}{whose}: {', '.join(drill.targets)}")
    for line in table(rows, right=(5, 7)):
        print(line)
    single = [case for case in drill.cases if case.single]
    print(f"{sum(case.survived for case in single)} of {len(single)} survived")
    if any(case.seen.recovered == RESTART for case in single):
        print(f"{RESTART}: the next was asked anew, which works only where both say the same; `hold: full` always does")
    for line in drill.advice:
        print(line)


def _row(case: Case) -> tuple[str, ...]:
    seen = case.seen
    if seen.error is None:
        saw = f"{seen.status}"
    else:
        saw = f"{seen.status}, then {seen.error}" if seen.status == 200 else f"{seen.status} {seen.error}"
    return (
        case.fails,
        FAULTS[case.fault],
        "stream" if case.stream else "JSON",
        saw,
        seen.answered_by or "nobody",
        str(seen.attempts),
        seen.recovered or "",
        f"{seen.time_s:.1f}",
    )
