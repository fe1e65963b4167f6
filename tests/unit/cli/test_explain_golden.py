"""`headgate explain` on documents that look like real ones, with what somebody went over by hand.

Each folder of `tests/golden/explain` holds a document, the arguments, the object that comes of them and, where nobody
can serve the request, what is said. Costs are tokens times dollars per million tokens, in pico-dollars; the time is
part of the arguments. When the packaged catalogue changes a price, the object changes with it.
"""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.process.headgate import HEADGATE, ROOT, TIMEOUT_S, Home

FOLDER = ROOT / "tests" / "golden" / "explain"
CASES = sorted(path.name for path in FOLDER.iterdir() if path.is_dir())
PUSD_PER_USD = 10**12


def explained(case: str, home: Home, *more: str) -> subprocess.CompletedProcess[str]:
    arguments = shlex.split((FOLDER / case / "args").read_text())
    return subprocess.run(
        [HEADGATE, "explain", *arguments, *more],
        cwd=FOLDER / case,
        env=home.env,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def expected(case: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((FOLDER / case / "expected.json").read_text())
    return loaded


def test_there_are_cases_and_each_fixes_its_time() -> None:
    assert len(CASES) >= 10
    assert all("--at " in (FOLDER / case / "args").read_text() for case in CASES)


@pytest.mark.parametrize("case", CASES)
def test_a_plan_is_explained_as_it_was_gone_over_by_hand(case: str, tmp_path: Path) -> None:
    ended = explained(case, Home(tmp_path), "--json")
    assert json.loads(ended.stdout) == expected(case)
    said = FOLDER / case / "said"
    assert ended.stderr == (said.read_text() if said.exists() else "")
    assert ended.returncode == (0 if expected(case)["candidates"] else 1)


@pytest.mark.parametrize("case", CASES)
def test_the_table_says_the_same_as_the_object(case: str, tmp_path: Path) -> None:
    lines = explained(case, Home(tmp_path)).stdout.splitlines()
    plan = expected(case)
    rows = lines[2 : 2 + len(plan["candidates"])] if plan["candidates"] else []
    assert [row.split()[:2] for row in rows] == [
        [str(place), one["deployment"]] for place, one in enumerate(plan["candidates"], start=1)
    ]
    for row, one in zip(rows, plan["candidates"], strict=True):
        shown = row.split()[2]
        cost = one["expected_cost_pusd"]
        assert shown == "unknown" if cost is None else round(float(shown) * PUSD_PER_USD) == cost
        assert (one["price_source"] or "-") in row
    assert lines[len(lines) - len(plan["dropped"]) :] == [
        f"  {one['deployment']}: {one['reason']}" for one in plan["dropped"]
    ]
