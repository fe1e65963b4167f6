"""What a client has to say of an answer: whole, or an error that says so, or a deception."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from tests.faults.forms import Form
from tests.surface.wire import Answer


@dataclass(frozen=True)
class Verdict:
    """`served` when the answer is whole and right. `honest` unless the client was misled: by part of an answer, or
    other words, that look like a whole one, or by an error without a reason. `how` is for the table."""

    served: bool
    honest: bool
    how: str


def judge(answer: Answer, form: Form, expected: str, *, streamed: bool) -> Verdict:
    """Compare an answer with what the providers mean to say."""
    if answer.status != 200:
        error = answer.error
        honest = answer.status >= 400 and bool(error.get("message")) and bool(error.get("code"))
        return Verdict(False, honest, f"error {answer.status} {error.get('code')}")
    return _judge_stream(answer, form, expected) if streamed else _judge_whole(answer, form, expected)


def _judge_whole(answer: Answer, form: Form, expected: str) -> Verdict:
    try:
        (item,) = answer.json()[form.items]
        right = form.said(item) == expected
        if form.streams:
            right = right and item["finish_reason"] in ("stop", "tool_calls")
    except (KeyError, TypeError, ValueError, AttributeError):
        # What a client cannot read is no answer.
        right = False
    return Verdict(right, right, f"by {answer.headers['x-headgate-provider']}" if right else "WRONG ANSWER")


def _judge_stream(answer: Answer, form: Form, expected: str) -> Verdict:
    said, finished, usages = "", 0, 0
    note: dict[str, Any] = {}
    found = payloads(answer.body)
    error: dict[str, Any] | None = None
    for data in found:
        if data == b"[DONE]":
            continue
        one = json.loads(data)
        note, error = one.get("headgate") or note, one.get("error") or error
        usages += bool(one.get("usage"))
        for choice in one.get("choices", ()):
            said += form.said(choice)
            finished += choice.get("finish_reason") is not None
    if not found or found[-1] != b"[DONE]":
        honest = error is not None and bool(error.get("code")) and expected.startswith(said)
        return Verdict(False, honest, f"broke, error {error['code']}" if honest and error else "BROKE SILENTLY")
    right = (said, finished, usages, error) == (expected, 1, 1, None)
    how = f"by {note.get('provider')}" + (f", {note['recovered']}" if "recovered" in note else "")
    return Verdict(right, right, how if right else "WRONG ANSWER")


def payloads(stream: bytes) -> list[bytes]:
    """The data of a stream's events, read as the standard says: any line ends, comments, data in several lines."""
    found = []
    for event in stream.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n\n"):
        lines = [line[5:].removeprefix(b" ") for line in event.split(b"\n") if line.startswith(b"data:")]
        if lines:
            found.append(b"\n".join(lines))
    return found
