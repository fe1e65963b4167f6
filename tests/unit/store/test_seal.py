"""Sealed secrets open with their key, for their record, whole; or not at all."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.store.errors import BadMasterKey, SealBroken, WrongMasterKey
from headgate.store.master_key import MasterKey
from headgate.store.seal import Binding, Sealer
from headgate.types.secret import Secret

OLD, NEW = MasterKey(b"o" * 32, "old place"), MasterKey(b"n" * 32, "new place")
BINDING = Binding(workspace="default", provider="openai", host="api.openai.com", record="crd_1")
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


@given(TEXT, TEXT, TEXT, TEXT, TEXT)
def test_what_is_sealed_opens_again_for_the_same_purpose(secret: str, a: str, b: str, c: str, d: str) -> None:
    binding = Binding(a, b, c, d)
    sealer = Sealer([OLD])
    sealed = sealer.seal(binding, Secret(secret))
    assert sealer.open(binding, sealed).reveal() == secret
    if len(secret) > 8:
        assert secret.encode() not in sealed


@given(st.lists(TEXT, min_size=5, max_size=5), st.lists(TEXT, min_size=5, max_size=5))
def test_no_two_bindings_read_the_same(one: list[str], other: list[str]) -> None:
    assert (Binding(*one).encode() == Binding(*other).encode()) == (one == other)


def test_the_same_text_moved_between_fields_is_another_binding() -> None:
    assert Binding("ab", "c", "d", "e").encode() != Binding("a", "bc", "d", "e").encode()


@pytest.mark.parametrize("field", Binding._fields)
def test_it_opens_for_no_other_purpose(field: str) -> None:
    sealer = Sealer([OLD])
    sealed = sealer.seal(BINDING, Secret("s"))
    with pytest.raises(SealBroken):
        sealer.open(BINDING._replace(**{field: "other"}), sealed)


@settings(max_examples=300)
@given(st.data())
def test_one_changed_bit_anywhere_is_noticed(data: st.DataObject) -> None:
    sealer = Sealer([OLD])
    sealed = bytearray(sealer.seal(BINDING, Secret("a secret")))
    at = data.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[at // 8] ^= 1 << at % 8
    with pytest.raises((SealBroken, WrongMasterKey)):
        sealer.open(BINDING, bytes(sealed))


@given(st.binary(max_size=200))
def test_bytes_that_were_never_sealed_are_a_clear_error(data: bytes) -> None:
    for sealed in (data, b"HGS1" + data, b"HGS1" + bytes.fromhex(OLD.id) + data):
        with pytest.raises((SealBroken, WrongMasterKey)) as caught:
            Sealer([OLD]).open(BINDING, sealed)
        assert str(caught.value).isprintable()


def test_a_sealed_secret_that_is_cut_off_anywhere_does_not_open() -> None:
    sealer = Sealer([OLD])
    sealed = sealer.seal(BINDING, Secret("s"))
    for length in range(len(sealed)):
        with pytest.raises(SealBroken):
            sealer.open(BINDING, sealed[:length])


def test_two_seals_of_the_same_secret_have_nothing_in_common() -> None:
    sealer = Sealer([OLD])
    one, other = (sealer.seal(BINDING, Secret("s" * 32)) for _ in range(2))
    assert one[:8] == other[:8]
    assert not any(one[at : at + 8] == other[at : at + 8] for at in range(8, len(one) - 8))


def test_the_first_key_seals_and_every_key_opens() -> None:
    both = Sealer([NEW, OLD])
    assert Sealer([NEW]).open(BINDING, both.seal(BINDING, Secret("s"))).reveal() == "s"
    assert both.open(BINDING, Sealer([OLD]).seal(BINDING, Secret("t"))).reveal() == "t"
    assert both.key_id == NEW.id
    assert both.opens(OLD.id)
    assert not Sealer([NEW]).opens(OLD.id)


def test_a_wrong_master_key_is_named_beside_the_right_one_with_the_way_out() -> None:
    sealed = Sealer([OLD]).seal(BINDING, Secret("s"))
    with pytest.raises(WrongMasterKey) as caught:
        Sealer([NEW]).open(BINDING, sealed)
    message = str(caught.value)
    for part in (OLD.id, NEW.id, "new place", "crd_1", "HEADGATE_SECRET_KEY", "store it again"):
        assert part in message
    assert message.isprintable()


def test_there_is_no_sealer_without_a_key() -> None:
    with pytest.raises(BadMasterKey):
        Sealer([])
