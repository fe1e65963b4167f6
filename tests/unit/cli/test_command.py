"""The command line itself: what makes no sense is one line, and help is readable."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HEADGATE = str(Path(sys.executable).with_name("headgate"))


def run(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], "HOME": str(directory), "LANG": "C.UTF-8"}
    return subprocess.run(
        [HEADGATE, *arguments], cwd=directory, env=env, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("up", "--port", "70000"), "'--port': '70000' is not a port (0–65535)"),
        (("up", "--port", "x"), "'--port': 'x' is not a port (0–65535)"),
        (("up", "--port", ""), "'--port': '' is not a port (0–65535)"),
        (("up", "--prot", "1"), "--prot"),
        (("up", "--config"), "--config"),
        (("up", "here"), "here"),
        (("chekc",), "chekc"),
        (("check", "a", "b"), "b"),
        (("--bogus",), "--bogus"),
    ],
)
def test_a_command_line_that_makes_no_sense_is_one_line_and_exit_code_two(
    tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    ended = run(tmp_path, *arguments)
    assert ended.returncode == 2
    assert ended.stdout == ""
    (line,) = ended.stderr.splitlines()
    assert line.startswith("headgate: ")
    assert words in line


@pytest.mark.parametrize("arguments", [("--help",), ("up", "--help"), ("check", "--help")])
def test_help_is_plain_text_and_ends_well(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    ended = run(tmp_path, *arguments)
    assert ended.returncode == 0
    assert ended.stderr == ""
    assert ended.stdout.startswith("Usage: headgate ")
    assert ended.stdout.isascii(), "boxes are drawn where a program may read"


def test_help_names_the_variables(tmp_path: Path) -> None:
    help_text = run(tmp_path, "up", "--help").stdout
    assert "[env HEADGATE_PORT]" in help_text
    assert "[env HEADGATE_HOST]" in help_text


def test_without_a_verb_it_says_which_there_are(tmp_path: Path) -> None:
    ended = run(tmp_path)
    assert ended.returncode == 2
    assert "check" in ended.stdout
    assert ended.stderr == ""


def test_the_version_is_said(tmp_path: Path) -> None:
    ended = run(tmp_path, "--version")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("headgate ")
