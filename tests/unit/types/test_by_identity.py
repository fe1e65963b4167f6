"""What is kept by an object's identity goes with the object, and is never another's."""

from __future__ import annotations

import gc

from headgate.types.by_identity import ByIdentity


class Thing:
    """Equal only to itself."""


def test_a_value_is_its_objects_and_goes_with_it() -> None:
    kept = ByIdentity[Thing, int]()
    one, other = Thing(), Thing()
    kept.set(one, 1)
    kept.set(one, 2)
    assert (kept.get(one), kept.get(other)) == (2, None)
    assert list(kept.values()) == [2]
    del one
    gc.collect()
    assert list(kept.values()) == []


def test_an_identity_that_is_taken_anew_has_nothing_of_the_one_before() -> None:
    kept = ByIdentity[Thing, int]()
    for number in range(1000):
        thing = Thing()
        assert kept.get(thing) is None
        kept.set(thing, number)
        assert kept.get(thing) == number
    assert list(kept.values()) == [999]
