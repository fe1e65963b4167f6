"""The key that seals all others: from the environment, or from a file that only its owner can read.

HEADGATE_SECRET_KEY is 32 bytes as 64 hex digits or as base64 (either alphabet, padded or not), or any passphrase of 32
characters or more, from which HKDF-SHA256 makes the key. Nothing stretches a passphrase: it must be long because it is
random, not because it is a sentence. Without the variable the key is in `<data directory>/secret.key`, which is made at
first need.

While a rotation runs there are two keys; all of them open, the first one seals. In the file's case the second is in
`secret.key.new`. A rotation seals everything with the new key in one transaction and then renames the file, so that at
every moment each sealed record has its key in one of the two files.
"""

from __future__ import annotations

import base64
import binascii
import fcntl
import hashlib
import os
import secrets
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from headgate.store.errors import BadMasterKey

VARIABLE = "HEADGATE_SECRET_KEY"
NEXT_VARIABLE = "HEADGATE_NEW_SECRET_KEY"
FILE = "secret.key"
NEXT_FILE = "secret.key.new"

KEY_BYTES = 32
PASSPHRASE_CHARACTERS = 32

_INFO = b"headgate master key from a passphrase, 1"
_MAX_FILE_BYTES = 4096


class MasterKey:
    """32 bytes that do not print. `id` is the first 8 hex digits of their SHA-256; `source` is where they are from."""

    __slots__ = ("_value", "id", "source")

    def __init__(self, value: bytes, source: str) -> None:
        self._value = value
        self.id = hashlib.sha256(value).hexdigest()[:8]
        self.source = source

    def reveal(self) -> bytes:
        return self._value

    def __repr__(self) -> str:
        return f"MasterKey({self.id} from {self.source})"

    def __reduce__(self) -> str:
        raise TypeError("a MasterKey is not serialised")


def find_master_keys(env: Mapping[str, str], data_dir: Path) -> tuple[MasterKey, ...]:
    """The keys there are: the first one seals, every one opens. Empty when no key was ever made.

    Raises BadMasterKey for one that is damaged, too short, or readable by others.
    """
    named = tuple(read_variable(env, name) for name in (NEXT_VARIABLE, VARIABLE) if env.get(name, "").strip())
    if named and env.get(VARIABLE, "").strip():
        return named
    # The new file comes first: once it is there a rotation will make it the key, now or when it is run again.
    return named + read_files(data_dir)


def read_files(data_dir: Path) -> tuple[MasterKey, ...]:
    found = (_read_file(data_dir / name) for name in (NEXT_FILE, FILE))
    return tuple(key for key in found if key is not None)


def read_variable(env: Mapping[str, str], name: str) -> MasterKey:
    """Raises BadMasterKey."""
    text = env[name].strip()
    exact, form = _decode(text)
    if exact is not None:
        return MasterKey(exact, f"{name} ({form})")
    if len(text) < PASSPHRASE_CHARACTERS:
        raise BadMasterKey(
            f"{name} is too short: it is 32 bytes as hex or base64, or a passphrase of "
            f"{PASSPHRASE_CHARACTERS} characters or more"
        )
    return MasterKey(_stretch(text), f"{name} (passphrase)")


def make_file(data_dir: Path, name: str = FILE) -> MasterKey:
    """Make the key file, unless another process was faster: then its key. Raises BadMasterKey."""
    path = data_dir / name
    unfinished = data_dir / f".{name}.{secrets.token_hex(6)}"
    text = base64.b64encode(secrets.token_bytes(KEY_BYTES)) + b"\n"
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            # A link appears whole or not at all, and never over a file that is there: a key is never lost to a race.
            with _unless_there():
                os.link(unfinished, path)
        finally:
            os.unlink(unfinished)
        _sync_directory(data_dir)
    except OSError as error:
        raise BadMasterKey(f"{path}: the master key cannot be written: {error.strerror}") from None
    made = _read_file(path)
    if made is None:
        raise BadMasterKey(f"{path}: the master key was removed while it was made")
    return made


def adopt_next_file(data_dir: Path) -> None:
    """Let the new key file take the place of the old one, which is gone afterwards. Raises BadMasterKey."""
    try:
        # A process that was killed while it made a key file leaves the key under this name as well.
        for left in data_dir.glob(f".{FILE}.*"):
            left.unlink()
        os.replace(data_dir / NEXT_FILE, data_dir / FILE)
        _sync_directory(data_dir)
    except OSError as error:
        raise BadMasterKey(f"{data_dir / FILE}: the new master key cannot take its place: {error.strerror}") from None


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _unless_there() -> Iterator[None]:
    try:
        yield
    except FileExistsError:
        return


@contextmanager
def only_rotation(data_dir: Path) -> Iterator[None]:
    """Keeps a second rotation with the same data directory out. Raises BadMasterKey when one is running."""
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(data_dir / f"{FILE}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise BadMasterKey(f"{data_dir}: cannot be locked for a rotation: {error.strerror}") from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BadMasterKey("the master key is being rotated by another process") from None
        yield
    finally:
        os.close(descriptor)


def _read_file(path: Path) -> MasterKey | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BadMasterKey(f"{path}: the master key cannot be read: {error.strerror}") from None
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            raise BadMasterKey(f"{path}: is not a file")
        if mode & 0o077:
            raise BadMasterKey(f"{path}: others may read the master key; make it yours alone: chmod 600 {path}")
        text = os.read(descriptor, _MAX_FILE_BYTES)
    finally:
        os.close(descriptor)
    value, _ = _decode(text.strip().decode("ascii", "replace"))
    if value is None:
        raise BadMasterKey(f"{path}: the master key is damaged; restore it from a backup")
    return MasterKey(value, str(path))


def _decode(text: str) -> tuple[bytes | None, str]:
    """32 bytes and the way they were written, None when the text is neither hex nor base64 of 32 bytes."""
    if len(text) == KEY_BYTES * 2:
        try:
            value = bytes.fromhex(text)
        except ValueError:
            return None, ""
        # fromhex skips blanks.
        return (value, "hex") if len(value) == KEY_BYTES else (None, "")
    unpadded = text.removesuffix("=").replace("-", "+").replace("_", "/")
    if len(unpadded) != 43:
        return None, ""
    try:
        return base64.b64decode(unpadded + "=", validate=True), "base64"
    except (binascii.Error, ValueError):
        return None, ""


def _stretch(passphrase: str) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=_INFO).derive(
        passphrase.encode(errors="surrogateescape")
    )
