"""Where the document comes from, and the way from its bytes to one that has passed every check."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path as FilePath
from stat import S_ISDIR, S_ISREG

import msgspec
from pydantic import ValidationError

from headgate.catalog.copies import CopyOf
from headgate.config.check import check
from headgate.config.check_keys import check_patterns
from headgate.config.check_targets import check_routes, targets_of
from headgate.config.document import Document
from headgate.config.entries import FALLBACK_PROVIDER, Found, complete, found_in, look_up, with_provider
from headgate.config.findings import Findings
from headgate.config.offering import Offering, offers_of
from headgate.config.problems import ConfigError, Path, Problem
from headgate.config.source_tree import SourceTree, grow
from headgate.config.unenforced import unenforced
from headgate.config.validate import validate
from headgate.config.wording import in_words
from headgate.config.yaml_source import SourceError, parse_yaml
from headgate.providers.builtin import PROVIDERS

DEFAULT_FILE = "headgate.yaml"
MAX_BYTES = 5 * 1024 * 1024
_ENVIRONMENT = "environment"


class Loaded(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A document that passed every check, and what an operator wants to know about it.

    `source`   where it came from, fit to print
    `path`     the file, or None when there is none
    `found`    provider → the environment variable its credential came from without being written in the document
    `origins`  path in the document → the environment variables its text came from
    `written_as` the same paths → the text as written, with `${…}` in it
    """

    document: Document
    source: str
    path: FilePath | None = None
    warnings: tuple[Problem, ...] = ()
    found: Mapping[str, str] = {}
    origins: Mapping[Path, tuple[str, ...]] = {}
    written_as: Mapping[Path, str] = {}


class Loader:
    """Loads the document again and again: once it came from a file, always from that very file.

    A file that is gone is then a ConfigError. Looking further would replace what the operator wrote by whatever the
    environment holds.
    """

    def __init__(
        self, path: FilePath | None, env: Mapping[str, str], cwd: FilePath, shelf: CopyOf | None = None
    ) -> None:
        self._path = path
        self._env = env
        self._cwd = cwd
        self._shelf = shelf

    def __call__(self) -> Loaded:
        """Load it as `load_document` does. Raises ConfigError."""
        chosen = choose_file(self._path, self._env, self._cwd)
        loaded = load_document(chosen, self._env, self._cwd, self._shelf)
        self._path = chosen
        return loaded


def load_document(path: FilePath | None, env: Mapping[str, str], cwd: FilePath, shelf: CopyOf | None = None) -> Loaded:
    """Load the document from, in this order: `path`, `HEADGATE_CONFIG`, `headgate.yaml` in `cwd`; else make one from
    the credentials in the environment; else the sandbox alone.

    `shelf` has the lists of providers: a route may name what only a list knows. Raises ConfigError with every problem
    found.
    """
    chosen = choose_file(path, env, cwd)
    if chosen is not None:
        return _from_file(chosen, env, cwd, shelf)
    return _judge(SourceTree(_ENVIRONMENT, {}, {}, {}, {}, []), env, None, shelf)


def choose_file(path: FilePath | None, env: Mapping[str, str], cwd: FilePath) -> FilePath | None:
    """The file that holds the document, as the operator named it; None when there is none."""
    if path is not None:
        return path
    if named := env.get("HEADGATE_CONFIG", ""):
        return FilePath(named)
    return FilePath(DEFAULT_FILE) if (cwd / DEFAULT_FILE).exists() else None


def _from_file(path: FilePath, env: Mapping[str, str], cwd: FilePath, shelf: CopyOf | None) -> Loaded:
    source = str(path)
    text = _read(cwd / path, source)
    try:
        root = parse_yaml(text)
        if root is None:
            raise SourceError(_empty(), None)
        tree = grow(root, env, source)
    except SourceError as error:
        raise ConfigError([Problem(source=source, line=error.line, message=error.message)]) from None
    if tree.value is None:
        raise ConfigError([Problem(source=source, message=_empty())])
    if not isinstance(tree.value, dict):
        raise ConfigError([Problem(source=source, line=root.line, message="must be a mapping, such as providers: …")])
    return _judge(tree, env, cwd / path, shelf)


def _read(path: FilePath, source: str) -> str:
    try:
        # Opening a pipe waits for somebody to write into it, and a device may never end.
        mode = path.stat().st_mode
        if not S_ISREG(mode) and not S_ISDIR(mode):
            raise ConfigError([Problem(source=source, message="cannot be read: not a regular file")])
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except ValueError:
        raise ConfigError([Problem(source=source, message="is not a file name")]) from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConfigError([Problem(source=source, message=f"cannot be read: {reason}")]) from None
    if len(data) > MAX_BYTES:
        raise ConfigError([Problem(source=source, message=f"is larger than {MAX_BYTES // 2**20} MB")])
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError([Problem(source=source, line=line, message="is not UTF-8 text")]) from None


def _empty() -> str:
    return f"is empty; the least that runs is: providers: {{{FALLBACK_PROVIDER}: {{}}}}"


def _judge(tree: SourceTree, env: Mapping[str, str], path: FilePath | None, shelf: CopyOf | None) -> Loaded:
    """Every check, one after the other; each looks at what the ones before it left readable."""
    validated = validate(tree)
    findings = Findings(tree, validated.spoilt)
    found: dict[str, str] = {}
    document = validated.document
    if not document.providers and not findings.spoilt_providers:
        document = _from_environment(document, env, found, findings, tree)
    check(document, findings)
    document, missing = complete(document, env)
    for name, variables in missing.items():
        needed = " and ".join(f"${{{variable}}}" for variable in variables)
        findings.problem(("providers", name), f"its address needs {needed} from the environment, or a base_url here")
    document, offering = _with_named_providers(document, env, found, findings, shelf)
    check_routes(document, offering, findings)
    if not validated.problems:
        check_patterns(document, offering, findings)
    problems = [*validated.problems, *findings.problems]
    if problems:
        raise ConfigError(problems)
    return Loaded(
        document=document,
        source=tree.source,
        path=path,
        warnings=tuple(sorted([*findings.warnings, *unenforced(tree)], key=lambda warning: warning.line or 0)),
        found=found,
        origins=tree.origins,
        written_as=tree.written_as,
    )


def _from_environment(
    document: Document, env: Mapping[str, str], found: dict[str, str], findings: Findings, tree: SourceTree
) -> Document:
    """Providers for a document that names none: those whose credentials the environment holds, else the sandbox."""
    for one in found_in(env):
        if one.missing:
            findings.warn((), f"{one.variable} is set, but {one.name} needs {' and '.join(one.missing)} too; left out")
        else:
            document = _adopt(document, one, found)
    if not document.providers:
        fallback = Document.model_validate({"providers": {FALLBACK_PROVIDER: {}}})
        document = document.model_copy(update={"providers": fallback.providers})
    if tree.value:
        names = ", ".join(document.providers)
        findings.warn(("providers",), f"none is written here; taken from the environment: {names}")
    return document


def _adopt(document: Document, one: Found, found: dict[str, str]) -> Document:
    """Add a provider from the environment. Raises ConfigError when what the variable holds cannot be a credential."""
    try:
        document = with_provider(document, one)
    except ValidationError as error:
        words = in_words(error.errors(include_url=False)[0])
        raise ConfigError([Problem(source=_ENVIRONMENT, message=f"{one.variable}: {words}")]) from None
    found[one.name] = one.variable
    return document


def _with_named_providers(
    document: Document, env: Mapping[str, str], found: dict[str, str], findings: Findings, shelf: CopyOf | None
) -> tuple[Document, Offering]:
    """Add the providers that routes name and that only the environment configures."""
    offering = Offering(offers_of(document, shelf))
    for target in targets_of(document):
        name = target.partition("/")[0]
        if name in document.providers or "/" not in target or name not in PROVIDERS or offering.resolve(target):
            continue
        if findings.is_spoilt("providers", name):
            continue
        one = look_up(env, name)
        if one is None or one.missing:
            continue
        document, _ = complete(_adopt(document, one, found), env)
        offering = Offering(offers_of(document, shelf))
        findings.warn(("models",), f"a route names {name}, which is not under providers; used with ${one.variable}")
    return document, offering
