"""Finish reasons: what each says of the answer it ends.

Beside the five of OpenAI's API reference there are those of compatible servers, from their references and field notes.
A reason that stands in none of these sets ends an answer like any other; the client is told it as it came.
"""

from __future__ import annotations


class Reasons(frozenset[str]):
    """Finish reasons in small letters. One is among them however it is written: some servers send capitals."""

    __slots__ = ()

    def __contains__(self, reason: object) -> bool:
        return isinstance(reason, str) and frozenset.__contains__(self, reason.lower())


FAILED = Reasons(
    {
        "error",
        "abort",
        "cancelled",
        "timeout",
        "insufficient_system_resource",
        "network_error",
        "malformed_function_call",
        "function_call_filter: malformed_function_call",
    }
)
"""The provider could not go on: what there is of the answer is a part of it, and says nothing of where it ends."""

CUT_OFF = Reasons(
    {"length", "max_tokens", "model_length", "model_context_window_exceeded", "content_filter", "sensitive"}
)
"""The answer was cut, and says so itself: by the cap the client set, by the model's window, or by a filter."""

COMPLETE = Reasons(
    {"", "stop", "eos", "eos_token", "tool_calls", "function_call", "complete", "end_turn", "stop_sequence"}
)
"""The model had said what it had to say. Some servers send an empty reason instead of one of these."""
