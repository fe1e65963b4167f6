"""What a journal holds can be read by later versions."""

from __future__ import annotations

import msgspec

from headgate.types.entry import Entry
from tests.unit.ledger.entries import PLAN, entry


def test_an_entry_written_before_plans_were_kept_is_read_without_one() -> None:
    written = msgspec.msgpack.decode(msgspec.msgpack.encode(entry("req_1")))
    assert written[-1] is not None
    read = msgspec.msgpack.decode(msgspec.msgpack.encode(written[:-1]), type=Entry)
    assert read == msgspec.structs.replace(entry("req_1"), plan=None)


def test_an_entry_keeps_its_plan() -> None:
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(entry("req_1")), type=Entry).plan == PLAN
