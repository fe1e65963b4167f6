"""Finish reasons: what each says of the answer it ends.

Beside the five of OpenAI's API reference there are those of compatible servers, from their references and field notes.
A reason that stands in none of these sets ends an answer like any other; the client is told it as it came.
"""

from __future__ import annotations

FAILED = frozenset({"error", "abort", "insufficient_system_resource", "network_error"})
"""The provider could not go on: what there is of the answer is a part of it, and says nothing of where it ends."""

CUT_OFF = frozenset({"length", "model_length", "model_context_window_exceeded", "content_filter", "sensitive"})
"""The answer was cut, and says so itself: by the cap the client set, by the model's window, or by a filter."""

COMPLETE = frozenset({"", "stop", "eos", "eos_token", "tool_calls", "function_call"})
"""The model had said what it had to say. Some servers send an empty reason instead of one of these."""
