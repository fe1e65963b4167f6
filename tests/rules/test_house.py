"""The house keeps its own rules: words, names, sizes, and documents that say what the code says."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

import pytest

from headgate.providers.sandbox import FAULTS, MODELS

ROOT = Path(__file__).resolve().parents[2]
HEADGATE = Path(sys.executable).with_name("headgate")

MODULE_LINES = 350
WORDS = """
    client endpoint key credential principal workspace provider dialect upstream offer deployment model route
    target policy plan candidate envelope attempt retry fallback hedge committed cooldown breaker fault quirk
    passthrough usage price cost budget reservation settle release ledger entry snapshot document parse render
    load fetch compile select resolve
"""
BANNED_NAME = re.compile(r"^Base(?!Url)[A-Z]|(Manager|Helper|Util)s?$")
BANNED_MODULE = re.compile(r"^(.*_)?(manager|helper|util)s?$|^base$")
MACHINE_PATH = re.compile(r"(?<![\w.~-])/(?:work|root|home|tmp|Users)/")
REGISTRY_HOST = re.compile(r"\b(?:pypi\.org|pythonhosted\.org|npmjs\.(?:org|com)|deb\.debian\.org)")
UNFINISHED = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")


def _ignored(relative: str, patterns: list[str]) -> bool:
    name = relative.rpartition("/")[2]
    return name == ".git" or any(
        fnmatch(relative if "/" in pattern.rstrip("/") else name, pattern.strip("/")) for pattern in patterns
    )


@cache
def repository() -> tuple[str, ...]:
    """Every file of the repository, tracked or about to be; found without git, which a copied tree does not have."""
    patterns = [line for line in (ROOT / ".gitignore").read_text().splitlines() if line and not line.startswith("#")]
    files: list[str] = []
    for directory, folders, names in os.walk(ROOT):
        here = Path(directory).relative_to(ROOT)
        folders[:] = [folder for folder in folders if not _ignored((here / folder).as_posix(), patterns)]
        files += [(here / name).as_posix() for name in names if not _ignored((here / name).as_posix(), patterns)]
    return tuple(sorted(files))


def texts() -> Iterator[tuple[str, str]]:
    """Path and text of what people wrote; `uv.lock` is written by a program and holds addresses by nature."""
    for path in repository():
        if path == "uv.lock":
            continue
        data = (ROOT / path).read_bytes()
        if b"\0" not in data:
            yield path, data.decode()


def modules(*folders: str) -> Iterator[tuple[str, str]]:
    return ((path, text) for path, text in texts() if path.endswith(".py") and path.partition("/")[0] in folders)


def documents() -> list[str]:
    return [path for path in repository() if path.endswith(".md")]


def lines_with(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{path}:{number}: {line.strip()}"
        for path, text in texts()
        for number, line in enumerate(text.splitlines(), start=1)
        if pattern.search(line)
    ]


def code_blocks(document: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", (ROOT / document).read_text(), re.MULTILINE | re.DOTALL)


def test_the_repository_is_found_and_what_is_ignored_is_not() -> None:
    files = repository()
    assert {"Makefile", "README.md", "src/headgate/errors.py", "tests/rules/test_house.py"} <= set(files)
    assert not [path for path in files if path.startswith((".git/", ".venv")) or "node_modules/" in path]


def test_no_file_speaks_of_the_machine_it_was_written_on() -> None:
    assert lines_with(MACHINE_PATH) == []


def test_no_file_names_the_host_of_a_package_registry() -> None:
    assert lines_with(REGISTRY_HOST) == []


def test_the_javascript_lock_file_leaves_the_registry_to_the_environment() -> None:
    assert '"resolved"' not in (ROOT / "tests/clients/js/package-lock.json").read_text()


def test_nothing_is_marked_as_unfinished() -> None:
    assert lines_with(UNFINISHED) == []


def test_no_module_is_longer_than_a_reader_can_hold() -> None:
    long = {path: len(text.splitlines()) for path, text in modules("src", "bench", "tests")}
    assert {path: lines for path, lines in long.items() if lines > MODULE_LINES} == {}


def test_no_class_or_module_has_a_name_that_says_nothing() -> None:
    bad = [path for path in repository() if path.endswith(".py") and BANNED_MODULE.search(Path(path).stem)]
    for path, text in modules("src", "bench", "tests"):
        classes = [node.name for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ClassDef)]
        bad += [f"{path}: {name}" for name in classes if BANNED_NAME.search(name)]
    assert bad == []


def test_every_module_of_the_source_says_what_it_is_for() -> None:
    silent = [path for path, text in modules("src", "bench") if text and ast.get_docstring(ast.parse(text)) is None]
    assert silent == []


def test_the_glossary_defines_every_word_of_the_design() -> None:
    defined = set(re.findall(r"\*\*([a-z ]+)\*\*", (ROOT / "docs/glossary.md").read_text()))
    assert [word for word in ("virtual key", *WORDS.split()) if word not in defined] == []


def test_the_architecture_mentions_every_package() -> None:
    described = (ROOT / "docs/architecture.md").read_text()
    packages = {path.split("/")[2] for path in repository() if re.match(r"src/headgate/\w+/.*\.py$", path)}
    assert [package for package in sorted(packages) if not re.search(rf"\b{package}\b", described)] == []


def test_every_make_command_in_a_document_is_a_verb_of_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text()
    verbs = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    assert {"help", "setup", "up", "test", "check", "bench", "fmt"} <= verbs
    said = {
        verb
        for document in documents()
        for verb in re.findall(r"(?:^|`)make ([a-z]+)\b", (ROOT / document).read_text(), re.MULTILINE)
    }
    assert said
    assert said - verbs == set()


def test_every_verb_of_the_makefile_is_set_up_first() -> None:
    rules = dict(re.findall(r"^([a-z]+): *([^#\n]*)", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert [verb for verb, needs in rules.items() if verb not in ("help", "setup") and needs.strip() != "setup"] == []


def test_every_headgate_command_in_a_document_exists() -> None:
    said = {
        verb
        for document in documents()
        for verb in re.findall(r"(?:^|`)headgate ([a-z]+)\b", (ROOT / document).read_text(), re.MULTILINE)
    }
    assert said
    for verb in sorted(said):
        ended = subprocess.run([HEADGATE, verb, "--help"], capture_output=True, text=True, timeout=60, check=False)
        assert ended.returncode == 0, f"headgate {verb}: {ended.stderr}"


@pytest.mark.parametrize("number", range(len(code_blocks("README.md", "yaml"))))
def test_the_document_in_the_readme_is_a_good_one(number: int, tmp_path: Path) -> None:
    path = tmp_path / "headgate.yaml"
    path.write_text(code_blocks("README.md", "yaml")[number])
    environment = {
        "PATH": os.environ["PATH"],
        "HEADGATE_DATA_DIR": str(tmp_path / "data"),
        "HEADGATE_KEY": "a-key-that-is-long-enough",
        "DEEPINFRA_API_KEY": "made-up",
    }
    ended = subprocess.run(
        [HEADGATE, "check", str(path)], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_the_readme_promises_only_sandbox_models_that_there_are() -> None:
    promised = set(re.findall(r"`sandbox/([\w-]+)`", (ROOT / "README.md").read_text()))
    assert promised
    assert promised - {*MODELS, *FAULTS} == set()


def test_every_link_between_documents_leads_somewhere() -> None:
    broken = []
    for path in documents():
        for link in re.findall(r"\]\(([^)\s]+)\)", (ROOT / path).read_text()):
            target = (ROOT / path).parent / link.partition("#")[0]
            if "://" not in link and not link.startswith("#") and not target.exists():
                broken.append(f"{path}: {link}")
    assert broken == []


@pytest.mark.parametrize("script", ["tools/bootstrap.sh", ".ci/run", "examples/curl.sh"])
def test_a_script_can_be_run_and_is_sound_to_its_shell(script: str) -> None:
    path = ROOT / script
    assert os.access(path, os.X_OK)
    shell = "bash" if "bash" in path.read_text().partition("\n")[0] else "sh"
    ended = subprocess.run([shell, "-n", str(path)], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr
