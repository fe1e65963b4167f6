"""What no single value can tell: whether the parts of a document fit each other and the providers we know."""

from __future__ import annotations

import re
import time
from urllib.parse import urlsplit

from headgate.config.check_keys import check_key
from headgate.config.document import CredentialPart, Document, ProviderPart
from headgate.config.entries import DIALECTS, is_hosted, row_of
from headgate.config.fields import header_name_problem, is_loopback
from headgate.config.findings import Findings
from headgate.config.problems import Path
from headgate.providers.builtin import PROVIDERS
from headgate.providers.provider import Provider
from headgate.providers.quirks import QUIRKS
from headgate.routing.names import nearest

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_NAME_RULE = "a name has up to 64 letters, digits, '.', '_' and '-', and begins with a letter or a digit"
_NOT_IN_PROCESS = ("api_key", "credentials", "dialect", "base_url", "headers", "auth_header", "quirks", "proxy")


def check(document: Document, findings: Findings) -> None:
    """Check keys, server and providers; `check_routes` does the rest."""
    _check_keys(document, findings)
    if not findings.is_spoilt("server") and not findings.is_spoilt("keys"):
        exposed = exposure(document.server.host, len(document.keys))
        if exposed is not None and not document.keys:
            findings.problem(("server", "host"), exposed)
        elif exposed is not None:
            findings.warn(("server", "host"), exposed)
    for name, entry in document.providers.items():
        _check_provider(name, entry, findings)


def exposure(host: str, keys: int) -> str | None:
    """What to tell an operator who listens beyond this machine; None for a loopback address.

    Without keys in the document it is an error: whoever reaches the port would spend the operator's money.
    """
    if is_loopback(host):
        return None
    if keys == 0:
        return f"{host} can be reached from other machines; declare at least one key under keys, or use 127.0.0.1"
    return f"{host} can be reached from other machines, and this port speaks plain HTTP; put TLS in front of it"


def _check_keys(document: Document, findings: Findings) -> None:
    names: dict[str, int] = {}
    secrets: dict[str, int] = {}
    now = int(time.time())
    for index, key in enumerate(document.keys):
        if (first := names.setdefault(key.name, index)) != index:
            where: Path = ("keys", index, "name")
            findings.problem(where, f"{findings.shown(where, key.name)} is already the name of keys[{first}]")
        check_key(key, ("keys", index), findings, now)
        if (first := secrets.setdefault(key.secret.reveal(), index)) != index:
            findings.problem(("keys", index, "secret"), f"is the same secret as that of keys[{first}]")


def _check_provider(name: str, entry: ProviderPart, findings: Findings) -> None:
    path: Path = ("providers", name)
    row = row_of(name)
    if not _NAME.fullmatch(name):
        findings.problem(path, _NAME_RULE)
        return
    if row is None and (entry.base_url is None or entry.dialect is None):
        findings.problem(path, _unknown_provider(name, entry))
        findings.spoil(path)
    if row is not None and row.script is not None:
        for key in _NOT_IN_PROCESS:
            if key in entry.model_fields_set and getattr(entry, key):
                findings.problem((*path, key), f"{name} runs inside Headgate and takes no {key}")
        for index, model in enumerate(entry.models):
            if "*" in model.id:
                words = f"{name} takes any id as {name}/<id> anyway; a * would claim names of others"
                findings.problem((*path, "models", index, "id"), words)
        _check_models(path, entry, findings)
        return
    if entry.dialect is not None and entry.dialect not in DIALECTS:
        known = ", ".join(DIALECTS)
        where = (*path, "dialect")
        shown = findings.shown(where, entry.dialect)
        findings.problem(where, f"{shown} is not a dialect this version speaks; it speaks {known}")
    if entry.pace is not None:
        findings.problem((*path, "pace"), "only a provider that runs inside Headgate has a pace of our choosing")
    _check_credentials(path, entry, row, findings)
    _check_edits(path, entry, findings)
    _check_models(path, entry, findings)


def _unknown_provider(name: str, entry: ProviderPart) -> str:
    near = nearest(name, PROVIDERS, 1)
    if near:
        return f"no provider is called {name}; did you mean {near[0]}? Any other server needs dialect and base_url"
    lacking = " and ".join(key for key in ("dialect", "base_url") if getattr(entry, key) is None)
    return f"{name} is not a provider Headgate knows, so it needs {lacking} (dialect: openai, base_url: https://…/v1)"


def _check_credentials(path: Path, entry: ProviderPart, row: Provider | None, findings: Findings) -> None:
    if entry.api_key is not None and entry.credentials is not None:
        findings.problem((*path, "credentials"), "stands beside api_key; write one of the two")
    secrets: list[CredentialPart] = entry.credentials or []
    if row is not None and is_hosted(row) and entry.api_key is None and not secrets:
        variable = row.env[0] if row.env else f"{row.name.upper()}_API_KEY"
        findings.problem(path, f"{row.name} needs a credential: api_key: ${{{variable}}}")
    seen: dict[str, int] = {}
    for index, credential in enumerate(secrets):
        where = (*path, "credentials", index, "name")
        if not _NAME.fullmatch(credential.name):
            findings.problem(where, _NAME_RULE)
        elif (first := seen.setdefault(credential.name, index)) != index:
            shown = findings.shown(where, credential.name)
            findings.problem(where, f"{shown} is already the name of credentials[{first}]")
    if entry.base_url and (entry.api_key is not None or secrets) and "base_url" in entry.model_fields_set:
        parts = urlsplit(entry.base_url)
        if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
            findings.warn(
                (*path, "base_url"), "the credential crosses the network unencrypted; use https:// if you can"
            )


def _check_edits(path: Path, entry: ProviderPart, findings: Findings) -> None:
    seen: set[str] = set()
    for header in entry.headers:
        problem = header_name_problem(header)
        if problem is None and header.lower() in seen:
            problem = "is written twice; header names do not tell upper from lower case"
        if problem:
            findings.problem((*path, "headers", header), problem)
        seen.add(header.lower())
    for index, quirk in enumerate(entry.quirks):
        if quirk not in QUIRKS:
            where = (*path, "quirks", index)
            near = nearest(quirk, QUIRKS, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(QUIRKS))}"
            findings.problem(where, f"{findings.shown(where, quirk)} is not a quirk; {hint}")


def _check_models(path: Path, entry: ProviderPart, findings: Findings) -> None:
    seen: dict[str, int] = {}
    for index, model in enumerate(entry.models):
        where = (*path, "models", index)
        if (first := seen.setdefault(model.id, index)) != index:
            shown = findings.shown((*where, "id"), model.id)
            findings.problem((*where, "id"), f"{shown} is already declared in models[{first}]")
        if model.model is not None and "*" in model.model:
            findings.problem((*where, "model"), "a slug cannot hold a *")
        if model.context_tokens and model.max_output_tokens and model.max_output_tokens > model.context_tokens:
            findings.problem((*where, "max_output_tokens"), "is larger than context_tokens")
