"""The key ring: one data key for each person, wrapped by the master key, in a file of its own.

The first line names the ring and holds a wrapped secret of its own, by which a wrong master key is known at once. Each
other line is a data key with the hashed name of whose it is, or the name of one that was destroyed. A new key is on the
disk before anything is sealed under it. Destroying one overwrites it in place, then writes the file anew.

Invariants: a name is never given twice; a key that was destroyed does not come back. Used by several threads: whoever
reads looks into a dictionary, whoever makes a key holds the lock.
"""

from __future__ import annotations

import hmac
import os
import threading
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec

from instar.errors import InvalidRequest, StoreError, StoreUnreadable
from instar.stores.sealing.cells import Box, draw_name, make_box
from instar.system.files import make_private_folder, replace_file
from instar.system.ids import draw_bytes

__all__ = ["RING_NAME", "Ring", "copy_ring", "count_keys", "create_ring", "open_ring", "read_ring_id"]

RING_NAME: Final = "keys.ring"
"""The file in the state directory."""

FORMAT: Final = "instar-ring"
VERSION: Final = 1
_NONCE_BYTES: Final = 12
_WIPED: Final = "*"


class _Head(msgspec.Struct, kw_only=True):
    """The first line. `secret` is the wrapped key under which names are hashed."""

    format: str
    version: int
    id: str
    secret: str


class _Line(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A data key: its name, the hash of whose it is, the wrapped key; or only the name of one that is gone."""

    key: str = ""
    whose: str = ""
    wrapped: str = ""
    gone: str = ""


_head: Final = msgspec.json.Decoder(_Head)
_line: Final = msgspec.json.Decoder(_Line)
_encode: Final = msgspec.json.Encoder().encode


class Ring:
    """The data keys of one store. `open_ring` and `create_ring` make it."""

    def __init__(self, path: Path, head: _Head, lines: Iterable[_Line], master: bytes) -> None:
        self._path = path
        self._head = head
        self._master = make_box(master)
        self._secret = _unwrap(self._master, head.secret, head.id, path)
        self._lines: dict[str, _Line] = {}
        self._newest: dict[str, str] = {}
        self._boxes: dict[str, Box] = {}
        self._guard = threading.Lock()
        self.gone: set[str] = set()
        for line in lines:
            self._take(line)

    @property
    def id(self) -> str:
        """Which ring this is: a store remembers it."""
        return self._head.id

    @property
    def path(self) -> Path:
        """The file."""
        return self._path

    def __len__(self) -> int:
        return len(self._lines)

    def find(self, name: str) -> Box | None:
        """The cipher of a data key; None for one that is not here. Raises `StoreUnreadable` for a damaged line."""
        box = self._boxes.get(name)
        if box is None and (line := self._lines.get(name)) is not None:
            key = _unwrap(self._master, line.wrapped, f"{self.id}/{name}/{line.whose}", self._path)
            box = self._boxes[name] = make_box(key)
        return box

    def choose(self, subject: str) -> tuple[str, Box]:
        """The name and the cipher of a person's newest key; the first time it is made. Raises `StoreError`."""
        whose = self.hash(subject)
        name = self._newest.get(whose)
        if name is None:
            name = self._make(whose)
        box = self.find(name)
        if box is None:
            raise StoreError("A data key was destroyed while it was used", fix="Try again.")
        return name, box

    def succeed(self, name: str) -> tuple[str, Box] | None:
        """The newest key of whoever a key is of; None for a key that is not here. Raises `StoreError`."""
        line = self._lines.get(name)
        if line is None:
            return None
        newest = self._newest.get(line.whose) or self._make(line.whose)
        box = self.find(newest)
        return None if box is None else (newest, box)

    def hash(self, text: str) -> str:
        """The name of something that the ring, or a row, must not tell: the same text has the same hash in one ring."""
        return urlsafe_b64encode(hmac.digest(self._secret, text.encode("utf-8", "surrogatepass"), sha256)[:18]).decode()

    def names_of(self, subjects: Iterable[str]) -> frozenset[str]:
        """The names of every key that these people have or had."""
        wanted = {self.hash(subject) for subject in subjects}
        return frozenset(name for name, line in self._lines.items() if line.whose in wanted)

    def retire(self, names: Iterable[str]) -> None:
        """Seal nothing more under these keys; whose they were gets a new one when it is needed."""
        doomed = set(names)
        with self._guard:
            self._newest = {whose: name for whose, name in self._newest.items() if name not in doomed}

    def destroy(self, names: Iterable[str]) -> int:
        """Destroy keys: what is sealed under them is out of everybody's reach, here and in every copy. How many."""
        with self._guard:
            doomed = set(names) & self._lines.keys()
            if not doomed:
                return 0
            _overwrite(self._path, [self._lines[name].wrapped for name in doomed])
            for name in doomed:
                line = self._lines.pop(name)
                self._boxes.pop(name, None)
                if self._newest.get(line.whose) == name:
                    del self._newest[line.whose]
            self.gone |= doomed
            self._save(self._head, self._lines.values())
            return len(doomed)

    def rewrap(self, master: bytes) -> int:
        """Wrap every key by a new master key; the cells stay as they are. How many were wrapped."""
        with self._guard:
            box = make_box(master)
            head = _Head(format=FORMAT, version=VERSION, id=self.id, secret=_wrap(box, self._secret, self._head.id))
            lines = {}
            for name, line in self._lines.items():
                bound = f"{self.id}/{name}/{line.whose}"
                key = _unwrap(self._master, line.wrapped, bound, self._path)
                lines[name] = _Line(key=name, whose=line.whose, wrapped=_wrap(box, key, bound))
            self._save(head, lines.values())
            self._head, self._lines, self._master = head, lines, box
            return len(lines)

    def _make(self, whose: str) -> str:
        with self._guard:
            known = self._newest.get(whose)
            if known is not None:
                return known
            name, key = draw_name(), draw_bytes(32)
            line = _Line(key=name, whose=whose, wrapped=_wrap(self._master, key, f"{self.id}/{name}/{whose}"))
            _append(self._path, _encode(line) + b"\n")
            self._take(line)
            return name

    def _take(self, line: _Line) -> None:
        if line.gone:
            self.gone.add(line.gone)
        elif line.key and line.key not in self.gone and not line.wrapped.startswith(_WIPED):
            self._lines[line.key] = line
            self._newest[line.whose] = line.key
        elif line.key:
            self.gone.add(line.key)

    def _save(self, head: _Head, lines: Iterable[_Line]) -> None:
        replace_file(self._path, _write(head, lines, self.gone))


def create_ring(path: Path, master: bytes) -> Ring:
    """A new ring without keys. Raises `InvalidRequest` when there is one, OSError."""
    if os.path.lexists(path):
        raise InvalidRequest(f"{path} is there already", why="a ring is never overwritten", fix="Move it away first.")
    make_private_folder(path.parent)
    ring_id = urlsafe_b64encode(draw_bytes(12)).decode()
    secret = _wrap(make_box(master), draw_bytes(32), ring_id)
    head = _Head(format=FORMAT, version=VERSION, id=ring_id, secret=secret)
    replace_file(path, _write(head, (), ()))
    return Ring(path, head, (), master)


def open_ring(path: Path, master: bytes) -> Ring:
    """The ring in a file. Raises `StoreUnreadable` for a damaged one, `StoreError` for a wrong master key.

    A last line that a crash cut short is left out: nothing was sealed under its key.
    """
    head, lines = _read(path)
    return Ring(path, head, lines, master)


def count_keys(path: Path) -> tuple[int, int]:
    """How many keys a ring has, and how many were destroyed; no master key is needed. Raises `StoreUnreadable`."""
    lines = _read(path)[1]
    return sum(1 for line in lines if line.key), sum(1 for line in lines if line.gone)


def read_ring_id(path: Path) -> str:
    """Which ring a file is; no master key is needed. Raises `StoreUnreadable`."""
    return _read(path)[0].id


def copy_ring(path: Path, target: Path) -> int:
    """Copy a ring to a file that is not there yet; how many keys. Raises `InvalidRequest`, `StoreUnreadable`."""
    if os.path.lexists(target):
        raise InvalidRequest(f"{target} is there already", why="a copy never overwrites", fix="Give another name.")
    keys, _ = count_keys(path)
    make_private_folder(target.parent)
    replace_file(target, [path.read_bytes()])
    return keys


def _read(path: Path) -> tuple[_Head, list[_Line]]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise StoreUnreadable(
            f"The key ring {path} cannot be read",
            why=(error.strerror or str(error)).lower(),
            fix="Put its newest copy there (docs/howto/encrypt.md). Without it nobody can read the words of this store."
            " Nothing was changed.",
        ) from None
    first, *rest = content.split(b"\n")
    try:
        head = _head.decode(first)
        # What stands behind the last line end was cut by a crash before anybody relied on it.
        lines = [_line.decode(line) for line in rest[:-1]]
    except msgspec.DecodeError as error:
        raise _damaged(path, str(error)) from None
    if head.format != FORMAT or head.version > VERSION:
        raise _damaged(path, f"it is {head.format} of version {head.version}")
    return head, lines


def _write(head: _Head, lines: Iterable[_Line], gone: Iterable[str]) -> Iterator[bytes]:
    yield _encode(head) + b"\n"
    for name in sorted(gone):
        yield _encode(_Line(gone=name)) + b"\n"
    for line in lines:
        yield _encode(line) + b"\n"


def _append(path: Path, line: bytes) -> None:
    """Put a line at the end and bring it to the disk; what an earlier crash left there half is cut off first."""
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    with os.fdopen(descriptor, "r+b") as file:
        content = file.read()
        file.truncate(content.rfind(b"\n") + 1)
        file.seek(0, os.SEEK_END)
        file.write(line)
        file.flush()
        os.fsync(file.fileno())


def _overwrite(path: Path, secrets: Iterable[str]) -> None:
    """Write over wrapped keys where they stand, so that not even the old file's blocks hold them."""
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    with os.fdopen(descriptor, "r+b") as file:
        content = file.read()
        for secret in secrets:
            at = content.find(secret.encode())
            if at >= 0:
                file.seek(at)
                file.write(_WIPED.encode() * len(secret))
        file.flush()
        os.fsync(file.fileno())


def _wrap(box: Box, key: bytes, bound: str) -> str:
    nonce = draw_bytes(_NONCE_BYTES)
    return urlsafe_b64encode(nonce + box.encrypt(nonce, key, bound.encode())).decode()


def _unwrap(box: Box, wrapped: str, bound: str, path: Path) -> bytes:
    from cryptography.exceptions import InvalidTag

    try:
        packed = urlsafe_b64decode(wrapped)
        key: bytes = box.decrypt(packed[:_NONCE_BYTES], packed[_NONCE_BYTES:], bound.encode())
    except (ValueError, InvalidTag):
        raise StoreError(
            f"The master key does not fit the key ring {path}",
            why="it does not open what that ring holds",
            fix="Give the master key that the ring was made with: session.encryption.keyFile, or the variable that "
            "session.encryption.keyEnv names. Nothing was changed.",
        ) from None
    return key


def _damaged(path: Path, why: str) -> StoreUnreadable:
    return StoreUnreadable(
        f"The key ring {path} is damaged", why=why, fix="Put its newest copy there. Nothing was changed."
    )
