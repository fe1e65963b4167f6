from __future__ import annotations

from pathlib import Path

import pytest

from headgate.settings import Settings, SettingsError, read_settings


def test_an_empty_environment_leaves_everything_open() -> None:
    assert read_settings({}) == Settings()
    assert read_settings({}).data_dir == Path(".headgate")


def test_every_variable_is_read() -> None:
    env = {
        "HEADGATE_HOST": "127.0.0.2",
        "HEADGATE_PORT": "0",
        "HEADGATE_DATA_DIR": "/var/lib/headgate",
    }
    assert read_settings(env) == Settings(host="127.0.0.2", port=0, data_dir=Path("/var/lib/headgate"))


def test_a_variable_that_is_set_but_empty_counts_as_not_set() -> None:
    names = ("HEADGATE_HOST", "HEADGATE_PORT", "HEADGATE_DATA_DIR")
    assert read_settings(dict.fromkeys(names, "")) == Settings()


@pytest.mark.parametrize("text", ["abc", "-1", "65536", "8080.0", " 80", "８０", "1" * 5000])
def test_what_is_not_a_port_is_one_clear_line(text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings({"HEADGATE_PORT": text})
    message = str(caught.value)
    assert message.startswith("HEADGATE_PORT: '")
    assert message.endswith("is not a port (0–65535)")
    assert len(message) < 100
    assert "\n" not in message


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("HEADGATE_HOST", "two words", "HEADGATE_HOST: 'two words' is not an address or a host name"),
        ("HEADGATE_DATA_DIR", "a\0b", "HEADGATE_DATA_DIR: 'a\\x00b' is not a path"),
    ],
)
def test_a_value_that_makes_no_sense_names_its_variable(name: str, value: str, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings({name: value})
    assert str(caught.value) == message
