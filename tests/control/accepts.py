"""A check for schemathesis: what fits the description is not refused for its shape.

It may still be refused for what it means: a provider that nobody knows, a time in the past.
"""

from __future__ import annotations

import json
from typing import Any

import schemathesis
from schemathesis import Case, CheckContext, Response

SHAPE = {"invalid_value", "unknown_field", "missing_field", "malformed", "unknown_parameter"}


@schemathesis.check
def accepts_what_fits(ctx: CheckContext, response: Response, case: Case[Any]) -> None:
    """A request that fits its schema gets no 400 that speaks of its shape."""
    if case.meta is None or not case.meta.generation.mode.is_positive or response.status_code != 400:
        return
    error = json.loads(response.content)["error"]
    assert error["code"] not in SHAPE, f"refused though it fits: {error}"
