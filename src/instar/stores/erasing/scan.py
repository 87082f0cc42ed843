"""The search for what is left of a person after an erasure: every byte of every file, and every row (LEAK-11).

What belongs here: where their names, ids and words are still found. What does not: taking them out. Blocking.

Files are read raw: the database with its free pages and its log, archives and backups unpacked. Rows are read too,
since SQLite cuts a long text over pages that need not follow each other. What the owner wrote into the configuration
is named apart, with the command that takes it out.

A backup, and any other copy of a database, is searched in both ways too: in a file the text of a column stands right
beside that of the next, so that a word is none as a whole there.

Limits: of what is packed, only zstd is opened, and of an archive inside a backup only the database tells.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import tarfile
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final
from urllib.parse import quote

import apsw

from instar.config.sections.store import DATABASE_NAME
from instar.core.model.people import Left
from instar.core.policy.needles import BLANK, build_pattern
from instar.stores.erasing.files import Places, visit_files
from instar.stores.erasing.remedy import CONFIG_FIX, build_config_fix, build_fix
from instar.stores.sqlite.connection import open_reader

__all__ = ["Scan", "scan_backups", "search_everything"]

_CHUNK: Final = 4 * 1024 * 1024
_PACKED_CHUNK: Final = 64 * 1024
"""Of a packed file less is read at once: it may become many times as much."""

_OVERLAP: Final = 4 * 1024
"""More than any word that is looked for: what lies across the border of two chunks is found in the second."""

_ZSTD: Final = (0xFD2FB528).to_bytes(4, "little")
"""How a file begins that is packed with zstd, whatever it is called (RFC 8878, section 3.1.1)."""

_SQLITE: Final = b"SQLite format 3\0"
"""How a database file begins."""

_PACKED_DATABASE: Final = f"state/{DATABASE_NAME}"
"""The database in a backup."""

_SKIPPED: Final = re.compile(r"\.(?:reserve|lock)$")


@dataclass(slots=True, kw_only=True)
class Scan:
    """What a search found: how often, by place; how many files it read."""

    hits: Counter[str] = field(default_factory=Counter)
    fixes: dict[str, str] = field(default_factory=dict)
    files: int = 0
    config_hits: int = 0
    config_fix: str = CONFIG_FIX

    def __bool__(self) -> bool:
        """Whether anything was found."""
        return bool(self.hits or self.config_hits)

    def left(self, places: Places, *, is_kept: bool) -> tuple[Left, ...]:
        """The places, those with most first. Of what is kept no word says whom it was about."""
        told = [Left(place=place, count=count, fix=self._fix(place)) for place, count in self.hits.most_common()]
        if self.config_hits and places.config is not None:
            fix = CONFIG_FIX if is_kept else self.config_fix
            told.append(Left(place=places.config.name, count=self.config_hits, fix=fix))
        return tuple(told)

    def _fix(self, place: str) -> str:
        return self.fixes.get(place, "Erase again: it was written meanwhile, or could not be read before.")


def search_everything(places: Places, needles: Iterable[str]) -> Scan:
    """Look for the person in every file and every row. Raises OSError."""
    found = Scan()
    pattern = build_pattern(needles)
    if pattern is None:
        return found
    needle = re.compile(pattern.encode())

    def visit(path: Path) -> None:
        if _SKIPPED.search(path.name) or path.is_relative_to(places.backups):
            return
        count, is_unreadable = _count(path, needle)
        if not count and path != places.database and _is_copy(path):
            # Another program's database may have tables that nobody else can read; its bytes were looked at.
            with contextlib.suppress(apsw.Error):
                count = sum(_search_copy(path, pattern).values())
        found.files += 1
        named = len(needle.findall(path.name.encode()))
        if not count + named:
            return
        if path == places.config:
            found.config_hits += count
            found.config_fix = build_config_fix(path, pattern)
        else:
            # A receipt is kept: the name of a file must not say in it whom it was about.
            place = _name(path, places)
            blank = re.sub(pattern, BLANK, place)
            found.hits[blank] += count + named
            found.fixes[blank] = build_fix(path, places, is_named=blank != place, is_unreadable=is_unreadable)

    visit_files(places, visit)
    found.hits.update(_search_store(places, pattern))
    found.hits += Counter()
    return found


def scan_backups(places: Places, needles: Iterable[str]) -> tuple[Path, ...]:
    """The backups in which the person is found."""
    pattern = build_pattern(needles)
    if pattern is None or not places.backups.is_dir():
        return ()
    needle = re.compile(pattern.encode())
    files = (path for path in sorted(places.backups.iterdir()) if path.is_file() and not path.is_symlink())
    return tuple(path for path in files if _count(path, needle)[0] or _is_in_backup(path, pattern, places))


def _name(path: Path, places: Places) -> str:
    """A file as a receipt names it: by its place in the state directory."""
    return path.relative_to(places.state_dir).as_posix() if path.is_relative_to(places.state_dir) else str(path)


def _count(path: Path, needle: re.Pattern[bytes]) -> tuple[int, bool]:
    """How often the words stand in a file, and whether it is packed and damaged: then it may hold one more."""
    from zstandard import ZstdError

    count = 0
    try:
        for _ in _find(path, needle):
            count += 1
    except ZstdError:
        return count + 1, True
    return count, False


def _find(path: Path, needle: re.Pattern[bytes]) -> Iterator[int]:
    """Where in a file, unpacked, the words stand."""
    at, rest = 0, b""
    for chunk in _chunks(path):
        text = rest + chunk
        # What begins in the overlap is told with the next chunk, which holds all of it.
        keep = max(len(text) - _OVERLAP, 0)
        yield from (at + match.start() for match in needle.finditer(text) if match.start() < keep)
        at, rest = at + keep, text[keep:]
    yield from (at + match.start() for match in needle.finditer(rest))


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        is_packed = file.read(len(_ZSTD)) == _ZSTD
        file.seek(0)
        if not is_packed:
            while chunk := file.read(_CHUNK):
                yield chunk
            return
        yield from _unpack(file)


def _unpack(file: IO[bytes]) -> Iterator[bytes]:
    """What a packed file holds, frame by frame. Raises `ZstdError` for one that is damaged or ends too early."""
    from zstandard import ZstdDecompressor, ZstdError

    frame, is_whole = ZstdDecompressor().decompressobj(), True
    while chunk := file.read(_PACKED_CHUNK):
        while chunk:
            yield frame.decompress(chunk)
            is_whole = frame.eof
            chunk = frame.unused_data if is_whole else b""
            if is_whole:
                frame = ZstdDecompressor().decompressobj()
    if not is_whole:
        raise ZstdError("it ends too early")


def _is_in_backup(path: Path, pattern: str, places: Places) -> bool:
    """Whether the words stand in a row of the database that is packed in a file; what is no backup has none, and one
    that cannot be read may have any.
    """
    from zstandard import ZstdDecompressor, ZstdError

    # In the folder that is searched itself: what a crash leaves of this is found by the next search.
    with path.open("rb") as raw, tempfile.TemporaryDirectory(prefix=".instar-scan-", dir=places.state_dir) as folder:
        copy = Path(folder) / DATABASE_NAME
        try:
            with ZstdDecompressor().stream_reader(raw) as stream, tarfile.open(fileobj=stream, mode="r|") as tar:
                for member in tar:
                    file = tar.extractfile(member) if member.name == _PACKED_DATABASE and member.isreg() else None
                    if file is not None:
                        with copy.open("xb") as out:
                            shutil.copyfileobj(file, out)
                        return bool(_search_copy(copy, pattern))
        except (tarfile.TarError, ZstdError):
            return False
        except apsw.Error:
            return True
    return False


def _is_copy(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_SQLITE)) == _SQLITE


def _search_copy(path: Path, pattern: str) -> Counter[str]:
    """How often the words stand in the rows of a database that nobody writes. Raises apsw.Error."""
    # As it is: not even a file beside it is made.
    address = f"file:{quote(str(path.absolute()))}?immutable=1"
    connection = apsw.Connection(address, flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
    try:
        return _search_rows(connection, pattern)
    finally:
        connection.close()


def _search_store(places: Places, pattern: str) -> Counter[str]:
    """How often the words stand in the rows of each table of the store, sealed ones opened."""
    connection = open_reader(str(places.database))
    try:
        if places.seals is not None:
            places.seals.install(connection)
        return _search_rows(connection, pattern)
    finally:
        connection.close()


def _search_rows(connection: apsw.Connection, pattern: str) -> Counter[str]:
    """How often the words stand in the rows of each table."""
    needle = re.compile(pattern)
    found: Counter[str] = Counter()
    for table, columns in _texts(connection):
        for row in connection.execute(f"SELECT {columns} FROM {table}"):  # noqa: S608 - names of our own schema
            for text in row:
                if isinstance(text, str) and needle.search(text):
                    found[f"rows of {table}"] += 1
    return found


def _texts(connection: apsw.Connection) -> Iterator[tuple[str, str]]:
    """Every table with its columns of text; the tables behind the index hold no text."""
    tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE '%VIRTUAL%'")
    for row in tables.fetchall():
        table = str(row[0])
        if table.startswith(("sqlite_", "search_")):
            continue
        columns = [str(one[1]) for one in connection.execute(f"PRAGMA table_info({table})") if one[2] == "TEXT"]
        if columns:
            yield table, ", ".join(f'"{column}"' for column in columns)
