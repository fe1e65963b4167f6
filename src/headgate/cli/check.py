"""`headgate check`: is the document right, and what would run."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

from headgate.catalog.copies import CopyOf, Shelf
from headgate.cli.wording import bracketed
from headgate.config.check_keys import budgets_of
from headgate.config.compile import compile_snapshot
from headgate.config.document import Document, KeyPart, ProviderPart
from headgate.config.entries import calls_out
from headgate.config.load import Loaded, load_document
from headgate.config.offering import offers_of
from headgate.config.problems import ConfigError
from headgate.config.schema import document_schema
from headgate.settings import SettingsError, read_settings
from headgate.types.deployment import Candidate, Offer
from headgate.types.principal import DEFAULT_WORKSPACE
from headgate.types.snapshot import Route, Snapshot
from headgate.upstream.origin import ProxyVariableError, check_proxy_variables
from headgate.wire import json

OK = 0
BAD_DOCUMENT = 2


def check(file: Path | None, schema: bool) -> int:
    """Print what the document makes run, or its problems on stderr; with `schema`, the JSON Schema instead.

    Touches no network. Returns the exit code: 0, or 2 for a document that cannot be used.
    """
    if schema:
        print(json.pretty(document_schema()).decode())
        return OK
    try:
        shelf = Shelf(read_settings(os.environ).data_dir)
        loaded = load_document(file, os.environ, Path.cwd(), shelf)
        if calls_out(loaded.document):
            check_proxy_variables(os.environ)
    except (ConfigError, SettingsError, ProxyVariableError) as error:
        print(error, file=sys.stderr)
        return BAD_DOCUMENT
    for line in report(loaded, shelf):
        print(line)
    for warning in loaded.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    return OK


def report(loaded: Loaded, shelf: CopyOf | None = None) -> list[str]:
    """What would run, without any secret: one line for each key, provider and candidate.

    `shelf` has the lists of providers that were fetched before.
    """
    document = loaded.document
    snapshot = compile_snapshot(document, revision=1, created=0, issued_keys={}, shelf=shelf)
    server = document.server
    lines = [
        f"configuration: {loaded.source}",
        f"server: http://{bracketed(server.host)}:{server.port}, bodies up to {server.max_body_mb} MB",
        "keys:",
        *_keys(loaded),
        "providers:",
        *_providers(loaded, shelf),
    ]
    if document.models:
        lines += ["routes:", *_routes(document, snapshot)]
    return lines


def _keys(loaded: Loaded) -> list[str]:
    if not loaded.document.keys:
        return ["  none here; one is made at the first start"]
    return [
        f"  {key.name}: {_origin(loaded, ('keys', index, 'secret'))}, may use {', '.join(key.models)}{_bounds(key)}"
        for index, key in enumerate(loaded.document.keys)
    ]


def _bounds(key: KeyPart) -> str:
    """Where a key ends: its workspace, limits, budgets."""
    parts = [f"workspace {key.workspace}"] if key.workspace != DEFAULT_WORKSPACE else []
    if key.limits is not None:
        parts += [f"{value} {name}" for name, value in key.limits.model_dump(exclude_none=True).items()]
    parts += [f"${budget.usd} per {budget.per}" for _, budget in budgets_of(key)]
    return "".join(f", {part}" for part in parts)


def _providers(loaded: Loaded, shelf: CopyOf | None) -> list[str]:
    offers = offers_of(loaded.document, shelf)
    return [
        f"  {name}: {_address(entry)}, {_offers(name, offers[name])}, {_credentials(loaded, name, entry)}"
        for name, entry in loaded.document.providers.items()
    ]


def _address(entry: ProviderPart) -> str:
    """Where it is called: the host alone, because paths can hold account numbers."""
    parts = urlsplit(entry.base_url or "")
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else "inside Headgate"


def _offers(name: str, offers: tuple[Offer, ...]) -> str:
    named = [offer for offer in offers if offer.upstream_id != "*" or offer.declared]
    counted = f"{len(named)} offer" + ("s" if len(named) != 1 else "")
    if len(named) == len(offers):
        return counted
    return f"any model as {name}/<id>" + (f", {counted}" if named else "")


def _credentials(loaded: Loaded, name: str, entry: ProviderPart) -> str:
    if name in loaded.found:
        return f"credential ${loaded.found[name]} from the environment"
    if entry.credentials:
        named = [
            f"{one.name} ({_origin(loaded, ('providers', name, 'credentials', index, 'api_key'))})"
            for index, one in enumerate(entry.credentials)
        ]
        return f"credentials {', '.join(named)}"
    if entry.api_key is None:
        return "no credential"
    return f"credential {_origin(loaded, ('providers', name, 'api_key'))}"


def _origin(loaded: Loaded, path: tuple[str | int, ...]) -> str:
    """What stands for a secret in print: the variable it came from, never the secret."""
    variables = loaded.origins.get(path)
    return " ".join(f"${variable}" for variable in variables) if variables else "written in the document"


def _routes(document: Document, snapshot: Snapshot) -> list[str]:
    lines: list[str] = []
    by_name = {**snapshot.routes, **{route.name: route for route in snapshot.patterns}}
    for name in document.models:
        route = by_name[name]
        lines.append(f"  {name} ({route.order}):")
        lines += [f"    {text}" for text in _candidates(route)]
    return lines


def _candidates(route: Route) -> list[str]:
    if "*" in route.name:
        return [*route.templates, *(f"{template} (fallback)" for template in route.fallback_templates)]
    return [*map(_candidate, route.targets), *(f"{_candidate(one)} (fallback)" for one in route.fallback)]


def _candidate(candidate: Candidate) -> str:
    deployment = candidate.deployment
    if "*" not in deployment.offer.upstream_id:
        return deployment.name
    return deployment.name.replace(deployment.offer.upstream_id, candidate.upstream_id, 1)
