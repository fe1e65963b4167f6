"""What `headgate secrets …` does."""

from __future__ import annotations

import os
from pathlib import Path

import typer

from headgate.cli.options import USAGE_ERROR, complain
from headgate.cli.session import print_json, say, session
from headgate.store.errors import StoreError
from headgate.store.master_key import find_master_keys


def rotate(config: Path | None, as_json: bool) -> None:
    """Seal everything with a new master key, and say what is left to do. Raises typer.Exit."""
    with session(config) as opened:
        rotation = opened.store.rotate_master_key(actor=opened.actor)
        if as_json:
            print_json(rotation)
            return
        count = rotation.resealed
        say(f"{count} credential{' is' if count == 1 else 's are'} sealed with a new master key.")
        say(f"old master key {rotation.old}, new master key {rotation.new}")
        if rotation.then:
            say(f"now: {rotation.then}")


def status(config: Path | None, as_json: bool) -> None:
    """Print which master keys there are and what they open; exit code 2 when there is something they do not."""
    with session(config) as opened:
        keys = find_master_keys(os.environ, opened.data_dir)
        sealed = opened.store.load().credentials
        closed: dict[str, str] = {}
        for one in sealed:
            try:
                opened.store.credentials.open(one)
            except StoreError as error:
                closed[one.credential.id] = str(error)
        opens = len(sealed) - len(closed)
        if as_json:
            found = [{"id": key.id, "source": key.source} for key in keys]
            print_json({"master_keys": found, "credentials": len(sealed), "opens": opens, "does_not_open": closed})
        else:
            for place, key in enumerate(keys):
                print(f"master key {key.id} from {key.source}{', which opens but seals no more' if place else ''}")
            if not keys:
                print("no master key yet: one is made when the first credential is stored")
            print(f"credentials: {len(sealed)}, of which it opens {opens} and does not open {len(closed)}")
            for words in closed.values():
                complain(words)
        if closed:
            raise typer.Exit(USAGE_ERROR)
