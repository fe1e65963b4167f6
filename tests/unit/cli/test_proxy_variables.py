"""A proxy variable that cannot be used stops the commands in one line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HEADGATE = str(Path(sys.executable).with_name("headgate"))


@pytest.mark.parametrize("arguments", [["up", "--port", "0"], ["check"]])
@pytest.mark.parametrize(
    ("name", "url", "words"),
    [
        ("HTTP_PROXY", "http://user:hunter22/x@127.0.0.1:1", "%2F"),
        ("https_proxy", "http://user:pass@127.0.0.1:hunter22", "port"),
        ("ALL_PROXY", "socks5://user:hunter22@127.0.0.1:1", "not supported"),
    ],
)
def test_a_proxy_variable_that_cannot_be_used_is_said_before_anything_starts(
    name: str, url: str, words: str, arguments: list[str], tmp_path: Path
) -> None:
    (tmp_path / "headgate.yaml").write_text("providers: {ollama: }\n")
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LANG": "C.UTF-8", name: url}
    done = subprocess.run(
        [HEADGATE, *arguments], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert f"{name}: a proxy" in line
    assert words in line
    assert "hunter22" not in line
    assert not (tmp_path / ".headgate").exists()


def test_a_proxy_variable_is_nothing_to_a_gateway_that_calls_nobody(tmp_path: Path) -> None:
    (tmp_path / "headgate.yaml").write_text("providers: {sandbox: }\n")
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LANG": "C.UTF-8", "ALL_PROXY": "socks5://127.0.0.1:1"}
    done = subprocess.run(
        [HEADGATE, "check"], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
