"""What of a provider's stream goes to the client, and whether all of it has come."""

from __future__ import annotations

from headgate.dialects.openai.reply import ErrorInBody
from headgate.dialects.openai.seam import Seam
from headgate.dialects.openai.stream import StreamReader
from headgate.dialects.openai.tools_held import ToolsHeld
from headgate.types.fault import Fault
from headgate.types.usage import Usage


class Diverged(Exception):
    """A second stream does not fit what the client has. Nothing the provider did wrong: it gave another answer."""


class Pipe:
    """Reads a stream; holds tool calls back until they are whole; joins a second stream to what a first one said.

    `feed` takes the provider's bytes, `close` the end of its body; both give what goes to the client. Look at `failure`
    afterwards: what was given beside it is good. `over` when nothing more of the stream is wanted: it has ended, or
    failed. `steady` while `feed` would do no more with an event than the reader's `glance` does.
    """

    __slots__ = ("_held", "_seam", "over", "reader", "steady")

    def __init__(self, reader: StreamReader, seam: Seam | None = None) -> None:
        self.reader = reader
        self._seam = seam
        self._held = ToolsHeld()
        self.over = False
        self.steady = False

    @property
    def failure(self) -> Fault | ErrorInBody | Diverged | None:
        """Why the stream cannot go on; None while it can."""
        if self.reader.failure is not None:
            return self.reader.failure
        if self._seam is not None and self._seam.diverged is not None:
            return Diverged(self._seam.diverged)
        return self._held.failure

    @property
    def holding(self) -> bool:
        """Whether tool calls wait until they are whole."""
        return self._held.holding

    @property
    def is_under_way(self) -> bool:
        """Whether a part of the answer has been let out: more than a role, and than calls that are held."""
        if self._seam is not None and not self._seam.passed:
            return False
        reader = self.reader
        return reader.has_words or (reader.has_content and not self._held.holding)

    def feed(self, data: bytes) -> bytes:
        reader = self.reader
        out = reader.feed(data)
        if self._seam is not None:
            out = self._seam.feed(out)
            self.over = self._seam.diverged is not None
        # Nearly no event has to do with tools, and looking is cheaper here than a call.
        if self._held.holding or out.find(b"_call") >= 0 or out.find(b"\\u00") >= 0:
            out = self._held.feed(out)
            self.over = self.over or self._held.failure is not None
        if reader.ended or reader.failure is not None:
            self.over = True
        # What follows a call is held back with it, whatever it is.
        self.steady = reader.steady and self._seam is None and not self._held.holding
        return out

    def close(self) -> bytes:
        out = self.reader.close()
        if out and self._seam is not None:
            out = self._seam.feed(out)
        if out:
            out = self._held.feed(out)
        self.over = self.over or self.failure is not None
        return out

    def last(self) -> bytes:
        """What was kept back to the end of an answer that is whole. Look at `failure` afterwards."""
        if self._seam is not None:
            self._seam.close()
        return self._held.close()

    def tail(self, headgate: dict[str, object], usage: Usage | None) -> bytes:
        """The end of a whole answer: usage for a client that asked, then `[DONE]`.

        `usage` is that of all attempts together, where there were several; None where it is this stream's own.
        """
        if usage is not None:
            self.reader.account_for(usage)
        tail = self.reader.tail(headgate)
        return tail if self._seam is None else self._seam.tail(tail)
