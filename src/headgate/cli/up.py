"""`headgate up`: start the gateway and say how to reach it."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import uvloop

from headgate.app import DRAIN_S, listen, run
from headgate.bookkeeping import open_journal
from headgate.catalog.copies import Shelf
from headgate.cli.example import example
from headgate.cli.opening import open_store_of
from headgate.cli.wording import bracketed
from headgate.config.check import exposure
from headgate.config.document import Document
from headgate.config.entries import calls_out
from headgate.config.issued import IssuedKey, KeyFileError, first_key
from headgate.config.load import Loaded, Loader
from headgate.config.problems import ConfigError
from headgate.config.stored import names_of
from headgate.ledger.journal import JournalError
from headgate.observe.log import set_up
from headgate.settings import SettingsError, read_settings
from headgate.store.engine import Store
from headgate.store.errors import StoreError
from headgate.store.master_key import find_master_keys
from headgate.store.records import TokenFields
from headgate.types.secret import Secret
from headgate.types.snapshot import Snapshot
from headgate.upstream.origin import ProxyVariableError, check_proxy_variables

USAGE_ERROR = 2


class CannotListen(Exception):
    """The address cannot be listened on; the message is ready to print."""


class NoFirstKey(Exception):
    """A first-run key was asked for that would open nothing; the message is ready to print."""


OPERATORS_TO_MEND = (
    ConfigError,
    KeyFileError,
    SettingsError,
    ProxyVariableError,
    StoreError,
    JournalError,
    CannotListen,
    NoFirstKey,
)


def up(config: Path | None, host: str | None, port: int | None, new_key: bool, *, drain_s: int = DRAIN_S) -> int:
    """Run until stopped. Returns the exit code: 0 after a stop asked for, 2 for what the operator must mend.

    Open streams get `drain_s` seconds to finish.
    """
    set_up()
    try:
        settings = read_settings(os.environ)
        load = Loader(config, os.environ, Path.cwd(), Shelf(settings.data_dir))
        loaded = load()
        document = loaded.document
        if calls_out(document):
            check_proxy_variables(os.environ)
        if new_key and document.keys:
            raise NoFirstKey(f"--new-key: {loaded.source} declares keys, and then only those count")
        address = host or settings.host or document.server.host
        notes = _exposure_notes(address, document)
        listener = _listener(
            address,
            port if port is not None else settings.port if settings.port is not None else document.server.port,
        )
        with listener, closing(open_store_of(document, settings)) as store:
            store.workspaces.ensure(names_of(document), actor=loaded.source)
            find_master_keys(os.environ, settings.data_dir)
            journal = open_journal(document, settings)
            # Last of all: a key that is made for a start that fails would never be shown, and never again either.
            key = None if document.keys else first_key(settings.data_dir, renew=new_key)
            admin = None if settings.admin_token_hash else first_admin_token(store)
            uvloop.run(
                run(
                    loaded,
                    store=store,
                    settings=settings,
                    journal=journal,
                    issued={} if key is None else {key.hash: key.principal},
                    listener=listener,
                    env=os.environ,
                    reload=load,
                    on_listening=lambda snapshot: print(
                        banner(loaded, snapshot, key, listener, notes, admin), flush=True
                    ),
                    drain_s=drain_s,
                )
            )
    except OPERATORS_TO_MEND as error:
        print(f"headgate: {error}", file=sys.stderr)
        return USAGE_ERROR
    return 0


def first_admin_token(store: Store) -> Secret | None:
    """A token that owns everything, made when there is no other; None when there is."""
    if store.tokens.list(workspace=None, limit=1):
        return None
    return store.tokens.create(TokenFields(name="first-run", role="owner"), actor="first run")[1]


def _exposure_notes(host: str, document: Document) -> tuple[str, ...]:
    """What to say of an address that others can reach and that the document does not name.

    Raises CannotListen where that would open the gateway to the network with nobody having said who may use it.
    """
    warning = exposure(host, len(document.keys))
    if warning is not None and not document.keys:
        raise CannotListen(warning)
    # The document's own address has its warning from the check of the document.
    return () if warning is None or host == document.server.host else (warning,)


def _listener(host: str, port: int) -> socket.socket:
    try:
        return listen(host, port)
    except OSError as error:
        why = error.strerror or str(error)
    except UnicodeError:
        why = "that is no host name"
    raise CannotListen(f"cannot listen on {bracketed(host)}:{port}: {why}; choose another with --port or --host")


def banner(
    loaded: Loaded,
    snapshot: Snapshot,
    key: IssuedKey | None,
    listener: socket.socket,
    notes: Iterable[str] = (),
    admin: Secret | None = None,
) -> str:
    """What a newcomer needs: where, with which key, served by whom, and a line to paste.

    `notes` stand among the document's warnings; `admin` is a token that was made just now.
    """
    host, port = listener.getsockname()[:2]
    shown = "127.0.0.1" if host in ("0.0.0.0", "::") else bracketed(host)
    base = f"http://{shown}:{port}/v1"
    lines = [
        "",
        "Headgate is up.",
        "",
        f"  base URL   {base}",
        f"  key        {_key_line(loaded, key)}",
        f"  providers  {_providers_line(loaded, snapshot)}",
    ]
    if admin is not None:
        lines.insert(5, f"  admin      {admin.reveal()}  (shown this once; for {base.removesuffix('v1')}api/)")
    lines += [f"  note       {note}" for note in (*notes, *loaded.warnings)]
    to_paste = example(loaded, snapshot, base, key.secret if key is not None else None)
    if to_paste is not None:
        lines += ["", "Try it:", "", f"  {to_paste.command}"]
        lines += ["", *(f"  {remark}" for remark in to_paste.remarks)] if to_paste.remarks else []
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
