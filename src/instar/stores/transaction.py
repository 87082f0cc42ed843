"""The seam between the store and its engines: a named query in, rows out.

A transaction of the store is a plain function over a `Transaction`; an `Engine` runs it, alone or together with
others in one commit, and may run it again when that has to be repeated. So such a function writes only
through its `Transaction` and keeps nothing elsewhere.

Queries live in ``queries/*.sql``. Each begins with its name and one sentence::

    -- name: load_meta
    -- The value that is kept under a name.
    SELECT value FROM meta WHERE name = :name;

Parameters are written ``:name``. What several queries of a file share is written once, as ``-- fragment: part`` with
its sentence, and put in where ``{part}`` stands. A file ``x.postgres.sql`` beside ``x.sql`` replaces the queries of
the same name for that engine, and only those.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import Any, Final, Literal, Protocol, TypeVar

from instar.core.model.ids import SessionId, SessionKey
from instar.core.policy.redaction import Redactor
from instar.stores.known import Known

__all__ = [
    "SHORT_ROWS",
    "Dialect",
    "Engine",
    "FileSeals",
    "Params",
    "Purpose",
    "Row",
    "Touched",
    "Transaction",
    "Value",
    "load_queries",
    "parse_queries",
]

Dialect = Literal["sqlite", "postgres"]

Purpose = Literal["new", "owed", "freeing"]
"""What a write is for: taking something new, which a full disk refuses; finishing what was promised; making room."""

Value = str | int | float | bytes | None
Params = Mapping[str, Value]
Row = tuple[Any, ...]
"""A row in the order of the query's columns. `Any`: the schema is STRICT, so each column has the type it says there."""

SHORT_ROWS: Final = 200
"""As many rows are read about as fast as they are asked for: what a client shows on one page."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Touched:
    """What commits changed, for whoever shows it elsewhere: the mirror, watchers of other processes.

    `keys` are sessions whose row was written or removed, `transcripts` those that grew, were opened, closed or
    removed. Both are told once per commit, however often they were written in it.
    """

    keys: set[SessionKey] = field(default_factory=set)
    transcripts: set[SessionId] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.keys or self.transcripts)


class Transaction(Protocol):
    """What a transaction may do: run named queries, and say what it touched."""

    @property
    def known(self) -> Known:
        """What need not be asked again; empty for engines that are not alone."""
        ...

    @property
    def touched(self) -> Touched:
        """What this transaction has touched so far; forgotten when it is rolled back."""
        ...

    @property
    def redactor(self) -> Redactor:
        """Takes secrets out of what is recorded for people to read (LEAK-12)."""
        ...

    def one(self, name: str, params: Params) -> Row | None:
        """The first row of a query, None if it has none."""
        ...

    def all(self, name: str, params: Params) -> list[Row]:
        """Every row of a query."""
        ...

    def run(self, name: str, params: Params) -> int:
        """Run a statement that writes; the number of rows it changed."""
        ...

    def run_many(self, name: str, rows: Sequence[Params]) -> None:
        """Run a statement once for each set of parameters, in order."""
        ...

    def attempt(self, name: str, work: Callable[[], None]) -> bool:
        """Do work that the rest of the transaction can do without; whether it could be done.

        What fails is taken back and logged under its name. A database that is in doubt as a whole fails the rest too.
        """
        ...


class FileSeals(Protocol):
    """What seals files beside a sealed store."""

    def seal_archive(self, content: bytes, *, key: SessionKey, owner: str | None) -> bytes:
        """An archive as it is written."""
        ...

    def open_archive(self, content: bytes) -> bytes | None:
        """An archive as it was; None where it cannot be opened. One that is not sealed is given back as it is."""
        ...


class Engine(Protocol):
    """A database that runs transactions. Errors come as `instar.errors.StoreError`s."""

    @property
    def seals(self) -> FileSeals | None:
        """What seals words here; None where they are stored as they are."""
        ...

    async def open(self) -> None:
        """Open the database and bring its schema up to date."""
        ...

    async def close(self) -> None:
        """Finish what is queued, then close; may be called twice."""
        ...

    async def write(self, unit: Callable[[Transaction], T], *, purpose: Purpose = "owed") -> T:
        """Run `unit` in a transaction; its result comes after the commit. `purpose` counts when the disk is full."""
        ...

    async def wipe(self, *, log_only: bool = False) -> None:
        """Leave nothing of what was deleted: not in free pages, not in the log (LEAK-11).

        From then on deleted rows are overwritten, until the next call with `log_only`, which only empties the log.
        """
        ...

    async def read(self, unit: Callable[[Transaction], T], *, is_short: bool = False) -> T:
        """Run `unit` on one snapshot, without writing.

        `is_short` says that it reads at most `SHORT_ROWS` rows, by an index. The engine may then try it at once, on the
        caller's thread, and once more in another if that took too long.
        """
        ...

    def on_commit(self, callback: Callable[[Touched], None]) -> None:
        """Call back after each commit, in the thread that committed: be quick, raise nothing."""
        ...

    def describe(self) -> dict[str, object]:
        """Facts about the engine: its name, where it stores."""
        ...


_HEAD = re.compile(r"^-- (name|fragment): (\w+)\n((?:--[^\n]*\n)+)", re.MULTILINE)


def parse_queries(text: str) -> Iterator[tuple[str, str]]:
    """Names and statements of one file, in order, fragments put in. Raises ValueError for one without a sentence."""
    heads = list(_HEAD.finditer(text))
    if len(heads) != len(re.findall(r"^-- (?:name|fragment):", text, re.MULTILINE)):
        msg = "each query begins with its name and a sentence that ends with a full stop"
        raise ValueError(msg)
    fragments: dict[str, str] = {}
    for head, following in zip(heads, [*heads[1:], None], strict=True):
        kind, name, comment = head.groups()
        if not comment.rstrip().endswith("."):
            msg = f"query {name} lacks its sentence"
            raise ValueError(msg)
        body = text[head.end() : following.start() if following is not None else len(text)].strip().rstrip(";")
        for fragment, words in fragments.items():
            body = body.replace("{" + fragment + "}", words)
        if kind == "fragment":
            fragments[name] = body
        else:
            yield name, body


def load_queries(dialect: Dialect) -> dict[str, str]:
    """Every named query for an engine, dialect files laid over the shared ones. Raises ValueError for a name twice."""
    folder = resources.files("instar.stores").joinpath("queries")
    shared: dict[str, str] = {}
    special: dict[str, str] = {}
    for file in sorted(folder.iterdir(), key=lambda item: item.name):
        stem, *dialects, suffix = file.name.split(".")
        if suffix != "sql" or (dialects and dialects != [dialect]):
            continue
        chosen = special if dialects else shared
        for name, statement in parse_queries(file.read_text(encoding="utf-8")):
            if name in chosen:
                msg = f"query {name} of {stem} is named twice"
                raise ValueError(msg)
            chosen[name] = statement
    return shared | special
