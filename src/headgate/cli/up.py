"""`headgate up`: start the gateway and say how to reach it."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import uvloop

from headgate.app import DRAIN_S, listen, run
from headgate.config.check import exposure
from headgate.config.document import Document
from headgate.config.issued import IssuedKey, KeyFileError, first_key
from headgate.config.load import Loaded, load_document
from headgate.config.problems import ConfigError
from headgate.observe.log import set_up
from headgate.routing.resolve import resolve
from headgate.settings import SettingsError, read_settings
from headgate.types.snapshot import Snapshot
from headgate.upstream.origin import ProxyVariableError, check_proxy_variables
from headgate.wire import json

USAGE_ERROR = 2


def up(config: Path | None, host: str | None, port: int | None, new_key: bool, *, drain_s: int = DRAIN_S) -> int:
    """Run until stopped. Returns the exit code: 0 after a stop asked for, 2 for what the operator must mend.

    Open streams get `drain_s` seconds to finish.
    """
    set_up()
    try:
        settings = read_settings(os.environ)
        check_proxy_variables(os.environ)
        loaded = load_document(config, os.environ, Path.cwd())
        document = loaded.document
        listener = _listener(
            _host(host or settings.host or document.server.host, document),
            port if port is not None else settings.port if settings.port is not None else document.server.port,
        )
        with listener:
            # Last of all: a key that is made for a start that fails would never be shown, and never again either.
            key = first_key(settings.data_dir, renew=new_key) if new_key or not document.keys else None
            uvloop.run(
                run(
                    loaded,
                    issued={} if key is None else {key.hash: key.principal},
                    listener=listener,
                    env=os.environ,
                    reload=lambda: load_document(config, os.environ, Path.cwd()),
                    on_listening=lambda snapshot: print(banner(loaded, snapshot, key, listener), flush=True),
                    drain_s=drain_s,
                )
            )
    except (ConfigError, KeyFileError, SettingsError, ProxyVariableError, CannotListen) as error:
        print(f"headgate: {error}", file=sys.stderr)
        return USAGE_ERROR
    return 0


class CannotListen(Exception):
    """The address cannot be listened on; the message is ready to print."""


def _host(host: str, document: Document) -> str:
    """The address, unless it would open the gateway to the network with nobody having said who may use it."""
    warning = exposure(host, len(document.keys))
    if warning is not None and not document.keys:
        raise CannotListen(warning)
    return host


def _listener(host: str, port: int) -> socket.socket:
    try:
        return listen(host, port)
    except OSError as error:
        why = error.strerror or str(error)
    except UnicodeError:
        why = "that is no host name"
    raise CannotListen(f"cannot listen on {_bracketed(host)}:{port}: {why}; choose another with --port or --host")


def banner(loaded: Loaded, snapshot: Snapshot, key: IssuedKey | None, listener: socket.socket) -> str:
    """What a newcomer needs: where, with which key, served by whom, and a line to paste."""
    host, port = listener.getsockname()[:2]
    shown = "127.0.0.1" if host in ("0.0.0.0", "::") else _bracketed(host)
    base = f"http://{shown}:{port}/v1"
    lines = [
        "",
        "Headgate is up.",
        "",
        f"  base URL   {base}",
        f"  key        {_key_line(loaded, key)}",
        f"  providers  {_providers_line(loaded, snapshot)}",
    ]
    lines += [f"  note       {warning}" for warning in loaded.warnings]
    model = _example_model(snapshot)
    if model is not None:
        lines += ["", "Try it:", "", f"  {_curl(base, _key_in_shell(loaded, key), model)}"]
    return "\n".join([*lines, "", "Stop with Ctrl-C.", ""])


def _key_line(loaded: Loaded, key: IssuedKey | None) -> str:
    if key is None:
        names = ", ".join(declared.name for declared in loaded.document.keys)
        return f"declared in {loaded.source}: {names}"
    if key.secret is not None:
        return f"{key.secret.reveal()}  (shown this once; only its hash is kept)"
    return "the one shown on the first start; `headgate up --new-key` makes another and revokes it"


def _providers_line(loaded: Loaded, snapshot: Snapshot) -> str:
    """Who can be called, and how we came to know."""
    if loaded.path is not None:
        return f"{', '.join(snapshot.providers)}  (from {loaded.source})"
    if not loaded.found:
        return (
            f"{', '.join(snapshot.providers)}  (built in: no headgate.yaml here, no provider's key in the environment)"
        )
    return ", ".join(f"{name} (${variable})" for name, variable in loaded.found.items())


def _key_in_shell(loaded: Loaded, key: IssuedKey | None) -> str:
    """The key as it goes into a shell line: itself when it has just been made, else the variable that holds it."""
    if key is not None and key.secret is not None:
        return key.secret.reveal()
    for index in range(len(loaded.document.keys)):
        if variables := loaded.origins.get(("keys", index, "secret")):
            return f"${variables[0]}"
    return "$HEADGATE_KEY"


def _example_model(snapshot: Snapshot) -> str | None:
    for name in snapshot.listed:
        found = resolve(snapshot, name)
        if found is not None and any(c.deployment.offer.kind in ("chat", "any") for c in found.targets):
            return name
    return None


def _curl(base: str, key: str, model: str) -> str:
    body = json.encode({"model": model, "messages": [{"role": "user", "content": "Say hello."}]}).decode()
    return (
        f'curl {base}/chat/completions -H "Authorization: Bearer {key}" '
        f"-H 'Content-Type: application/json' -d {_quoted(body)}"
    )


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
