"""Where the master key comes from, and what is wrong with one that is refused."""

from __future__ import annotations

import base64
import hashlib
import pickle
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.store.errors import BadMasterKey
from headgate.store.master_key import (
    MasterKey,
    adopt_next_file,
    find_master_keys,
    make_file,
    only_rotation,
    read_variable,
)

KEY = bytes(range(200, 232))


def read(text: str) -> MasterKey:
    return read_variable({"HEADGATE_SECRET_KEY": text}, "HEADGATE_SECRET_KEY")


@given(st.binary(min_size=32, max_size=32), st.sampled_from(["", " ", "\n"]))
def test_32_bytes_are_the_key_however_they_are_written(key: bytes, around: str) -> None:
    for text, form in (
        (key.hex(), "hex"),
        (key.hex().upper(), "hex"),
        (base64.b64encode(key).decode(), "base64"),
        (base64.urlsafe_b64encode(key).decode(), "base64"),
        (base64.urlsafe_b64encode(key).decode().rstrip("="), "base64"),
    ):
        found = read(around + text + around)
        assert found.reveal() == key
        assert found.source == f"HEADGATE_SECRET_KEY ({form})"
        assert found.id == hashlib.sha256(key).hexdigest()[:8]


@pytest.mark.parametrize("text", ["correct horse battery staple and more", "é" * 32, "x" * 44 + "!", "a b" * 21 + "c"])
def test_a_long_passphrase_makes_a_key_of_its_own(text: str) -> None:
    found = read(text)
    assert found.source == "HEADGATE_SECRET_KEY (passphrase)"
    assert len(found.reveal()) == 32
    assert found.reveal() == read(text).reveal()
    assert found.id != read(text + ".").id
    assert text.encode() not in found.reveal()


def test_a_passphrase_gives_the_same_key_in_every_release() -> None:
    assert read("correct horse battery staple and more").id == "78e96f02"


@pytest.mark.parametrize("text", ["x", "0" * 31, "ab" * 15])
def test_a_short_key_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(BadMasterKey, match="too short") as caught:
        read(text)
    assert text not in str(caught.value) or len(text) == 1


def test_a_key_does_not_print_and_is_not_serialised() -> None:
    key = MasterKey(KEY, "here")
    assert KEY.hex() not in repr(key)
    assert repr(KEY) not in repr([key])
    with pytest.raises(TypeError):
        pickle.dumps(key)


def test_without_a_variable_the_key_is_in_a_file_for_its_owner_alone(tmp_path: Path) -> None:
    data_dir = tmp_path / "new" / "data"
    assert find_master_keys({"HEADGATE_SECRET_KEY": "  "}, data_dir) == ()
    made = make_file(data_dir)
    assert (data_dir / "secret.key").stat().st_mode & 0o777 == 0o600
    (found,) = find_master_keys({}, data_dir)
    assert found.id == made.id == make_file(data_dir).id
    assert [path.name for path in data_dir.iterdir()] == ["secret.key"]


def test_the_variable_counts_before_the_file(tmp_path: Path) -> None:
    make_file(tmp_path)
    (found,) = find_master_keys({"HEADGATE_SECRET_KEY": KEY.hex()}, tmp_path)
    assert found.reveal() == KEY


def test_while_a_rotation_runs_the_new_key_seals_and_both_open(tmp_path: Path) -> None:
    old, new = make_file(tmp_path), make_file(tmp_path, "secret.key.new")
    assert old.id != new.id
    assert [key.id for key in find_master_keys({}, tmp_path)] == [new.id, old.id]
    adopt_next_file(tmp_path)
    assert [key.id for key in find_master_keys({}, tmp_path)] == [new.id]
    env = {"HEADGATE_SECRET_KEY": KEY.hex(), "HEADGATE_NEW_SECRET_KEY": "cd" * 32}
    assert [key.reveal() for key in find_master_keys(env, tmp_path)] == [b"\xcd" * 32, KEY]
    assert [key.id for key in find_master_keys({"HEADGATE_NEW_SECRET_KEY": KEY.hex()}, tmp_path)] == [
        MasterKey(KEY, "").id,
        new.id,
    ]


def test_a_rotation_takes_away_what_a_killed_process_left_of_a_key(tmp_path: Path) -> None:
    make_file(tmp_path)
    (tmp_path / ".secret.key.0123456789ab").hardlink_to(tmp_path / "secret.key")
    make_file(tmp_path, "secret.key.new")
    adopt_next_file(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["secret.key"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o777])
def test_a_file_that_others_may_read_is_refused_with_the_remedy(tmp_path: Path, mode: int) -> None:
    make_file(tmp_path)
    (tmp_path / "secret.key").chmod(mode)
    with pytest.raises(BadMasterKey, match="chmod 600"):
        find_master_keys({}, tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        KEY,
        KEY.hex().encode()[:-1],
        KEY.hex().encode() + b"0",
        b"\xff" * 64,
        b"correct horse battery staple!!!",
    ],
)
def test_a_damaged_file_is_refused_and_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "secret.key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(BadMasterKey, match="damaged"):
        find_master_keys({}, tmp_path)
    with pytest.raises(BadMasterKey, match="damaged"):
        make_file(tmp_path)
    assert path.read_bytes() == content


def test_a_directory_in_the_place_of_the_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret.key").mkdir()
    with pytest.raises(BadMasterKey):
        find_master_keys({}, tmp_path)


def test_a_directory_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadMasterKey, match="cannot be written"):
        make_file(tmp_path / "file")


def test_many_who_make_the_key_at_once_all_get_the_same(tmp_path: Path) -> None:
    ids: list[str] = []
    start = threading.Barrier(8)

    def make() -> None:
        start.wait()
        ids.append(make_file(tmp_path).id)

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == 8
    assert len(set(ids)) == 1


def test_a_second_rotation_is_kept_out_while_one_runs(tmp_path: Path) -> None:
    with only_rotation(tmp_path), pytest.raises(BadMasterKey, match="another process"), only_rotation(tmp_path):
        pass
    with only_rotation(tmp_path):
        pass
