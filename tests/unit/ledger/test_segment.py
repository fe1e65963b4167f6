"""Records in a file: found again however the file is damaged."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from headgate.ledger.segment import HEADER, frame, scan
from tests.unit.ledger.journals import SALT, payload_lists, places


@given(payload_lists, st.data())
def test_a_file_cut_anywhere_gives_back_every_record_before_the_cut(payloads: list[bytes], data: st.DataObject) -> None:
    whole = b"".join(frame(payload, SALT) for payload in payloads)
    cut = data.draw(st.integers(0, len(whole)))
    found = scan(whole[:cut], SALT)
    expected = [payload for payload, (_, end) in zip(payloads, places(payloads), strict=True) if end <= cut]
    assert found.payloads == expected
    assert found.damaged == []
    assert (found.torn is None) == (cut in {0, *(end for _, end in places(payloads))})


@given(payload_lists, st.data())
def test_flipped_bytes_anywhere_lose_no_record_that_they_do_not_touch(
    payloads: list[bytes], data: st.DataObject
) -> None:
    whole = bytearray(b"".join(frame(payload, SALT) for payload in payloads))
    flips = data.draw(st.lists(st.tuples(st.integers(0, len(whole) - 1), st.integers(1, 255)), max_size=4))
    for place, bits in flips:
        whole[place] ^= bits
    sound = bytearray(b"".join(frame(payload, SALT) for payload in payloads))
    expected = [
        payload
        for payload, (start, end) in zip(payloads, places(payloads), strict=True)
        if whole[start:end] == sound[start:end]
    ]
    found = scan(bytes(whole), SALT)
    assert found.payloads == expected
    lost = sum(end - start for start, end in found.damaged) + (0 if found.torn is None else len(whole) - found.torn)
    assert lost == len(whole) - sum(HEADER.size + len(payload) for payload in expected)
