"""A connection on which words are sealed and opened: functions, views, and the statements that use them.

Theory of operation. Temporary views of the same names lie over the sealed tables; SQLite looks there first, so every
query reads opened words without knowing of it. Statements that write name the tables themselves and seal what they
write (`statements`). All of it belongs to the connection, and nothing of it is in the file.

What belongs here: whether a store may be opened with these keys, and laying seals over a connection. What does not:
turning a store over (`instar.stores.turn_over`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import msgspec
import structlog

from instar.core.context.envelope import ENVELOPE_KEY
from instar.core.model.ids import SessionKey
from instar.errors import StoreError
from instar.stores.rows import read_submission
from instar.stores.sealing.cells import (
    FILE_MARK,
    MARK,
    cell_key,
    open_cell,
    open_file,
    read_key_name,
    seal_cell,
    seal_file,
)
from instar.stores.sealing.columns import SEALED, person, session
from instar.stores.sealing.copies import GONE_NAME, clean_copy
from instar.stores.sealing.ring import Ring, create_ring, open_ring
from instar.stores.sealing.statements import build_view, seal_queries
from instar.system.log_events import STORE_HALF_SEALED

if TYPE_CHECKING:
    import apsw

log = structlog.get_logger(__name__)

__all__ = ["RING_NAME", "STATE_NAME", "SealState", "Seals", "check_unsealed", "read_state"]

_HALF_FIX: Final = "Words of before are not encrypted yet. Stop the gateway and run `instar encryption on` again."

_NOTE: Final = "note"
"""Stands for the table in what is authenticated with a line of a note."""

STATE_NAME: Final = "sealing"
RING_NAME: Final = "sealing_ring"
"""Names in `meta`: what a store is, and which ring it needs."""

SealState = Literal["off", "on", "sealing", "opening"]
"""Nothing is sealed; everything is; on the way to the one or the other, and both kinds of rows are read."""

_HAS_ROWS: Final = (
    "SELECT EXISTS (SELECT 1 FROM main.sessions) OR EXISTS (SELECT 1 FROM main.transcripts)"
    " OR EXISTS (SELECT 1 FROM main.inbox) OR EXISTS (SELECT 1 FROM main.decisions)"
)

_objects: Final[msgspec.json.Decoder[dict[str, object]]] = msgspec.json.Decoder(dict[str, object])
_texts: Final[msgspec.json.Decoder[list[str]]] = msgspec.json.Decoder(list[str])


class Seals:
    """The keys of one store, and what they do on its connections.

    `ring_path` is where the ring lies, `master` what wraps it. With `may_turn` a store that is not sealed, or on its
    way back, is opened too: for the commands that turn it over.
    """

    def __init__(self, ring_path: Path, master: bytes, *, may_turn: bool = False) -> None:
        self._ring_path = ring_path
        self._master = master
        self._may_turn = may_turn
        self._ring: Ring | None = None
        self.is_strict = False
        self.doomed: frozenset[str] = frozenset()

    @property
    def ring(self) -> Ring:
        """The ring. Raises `StoreError` where it is missing, damaged, or of another master key."""
        if self._ring is None:
            self._ring = open_ring(self._ring_path, self._master)
        return self._ring

    def queries(self, queries: Mapping[str, str]) -> dict[str, str]:
        """Named queries as a sealed store runs them."""
        return seal_queries(queries)

    def install_writer(self, connection: apsw.Connection) -> SealState:
        """Check that the keys fit the store, begin one that is empty, and lay the seals over the connection.

        Raises `StoreError`; nothing was changed then.
        """
        state = read_state(connection)
        if state == "off" and not connection.execute(_HAS_ROWS).get:
            ring = self._ring or self._begin_ring()
            for name, value in ((STATE_NAME, "on"), (RING_NAME, ring.id), (GONE_NAME, str(len(ring.gone)))):
                connection.execute("INSERT OR REPLACE INTO main.meta (name, value) VALUES (?, ?)", (name, value))
        elif state == "off" and self._may_turn:
            self._ring = self._ring or self._begin_ring()
        state = self.install(connection)
        if state != "off":
            clean_copy(connection, self.ring)
        if state == "sealing" and not self._may_turn:
            log.warning(STORE_HALF_SEALED, fix=_HALF_FIX)
        return state

    def install(self, connection: apsw.Connection) -> SealState:
        """Lay the seals over a connection, which may be one that only reads. Raises `StoreError`."""
        state = read_state(connection)
        self._check(connection, state)
        self.is_strict = state == "on"
        connection.execute("PRAGMA temp_store = memory")
        functions: Mapping[str, Callable[..., str | int | None]] = {
            "instar_seal": self.seal,
            "instar_open": self.open,
            "instar_hash": self.hash,
            "instar_is_cell": self.is_cell,
            "instar_doomed": lambda cell: int(cell_key(cell) in self.doomed),
            "instar_gone": lambda cell: int(cell_key(cell) in self.ring.gone),
            "instar_person": find_person,
            "instar_writer": find_writer,
            "instar_author": find_author,
        }
        for name, function in functions.items():
            connection.create_scalar_function(name, function, -1)
        _lay_views(connection)
        return state

    def write_anew(self, connection: apsw.Connection) -> None:
        """`VACUUM` on a connection with seals: it names tables in a way that would find the views."""
        for table in SEALED:
            connection.execute(f"DROP VIEW IF EXISTS temp.{table}")
        try:
            connection.execute("VACUUM")
        finally:
            _lay_views(connection)

    def _begin_ring(self) -> Ring:
        """The ring for a store that has nothing yet: the one that lies there, else a new one."""
        self._ring = self.ring if self._ring_path.exists() else create_ring(self._ring_path, self._master)
        return self._ring

    def _check(self, connection: apsw.Connection, state: SealState) -> None:
        if state in {"off", "opening"} and not self._may_turn:
            is_off = state == "off"
            raise StoreError(
                "The words of this store are not encrypted" if is_off else "The words of this store are being opened",
                why="session.encryption.enabled is set, and "
                + (
                    "the store is older than that" if is_off else "`instar encryption off` was begun and is not through"
                ),
                fix="Run `instar encryption on` while no gateway runs, or set session.encryption.enabled to false"
                + ("." if is_off else " and run `instar encryption off` again."),
            )
        wanted = connection.execute("SELECT value FROM main.meta WHERE name = ?", (RING_NAME,)).get
        if wanted is not None and wanted != self.ring.id:
            raise StoreError(
                f"{self._ring_path} is not the key ring of this store",
                why="it is the ring of another one",
                fix="Put the newest copy of this store's own ring there. Nothing was changed.",
            )

    # --- shredding ----------------------------------------------------------------------------------------------------

    def doom(self, subjects: Iterable[str]) -> frozenset[str]:
        """Seal nothing more under the keys of these people; their names. What is left under them is to be renewed."""
        self.doomed = self.ring.names_of(subjects)
        self.ring.retire(self.doomed)
        return self.doomed

    def shred(self, names: Iterable[str]) -> int:
        """Destroy keys: no copy of the database tells any more what is sealed under them. How many."""
        done = self.ring.destroy(names)
        self.doomed = frozenset()
        return done

    # --- what statements call -----------------------------------------------------------------------------------------

    def seal(self, value: str | None, place: str, subject: str, *row: object) -> str | None:
        """The cell of a value; nothing stays nothing."""
        if value is None:
            return None
        name, box = self.ring.choose(subject)
        return seal_cell(value, name=name, box=box, place=(place, *row))

    def open(self, value: str | None, place: str, *row: object) -> str | None:
        """The text of a cell. What cannot be opened is told as the column says.

        In a store that is sealed as a whole what is no cell was put there by another hand, and is not believed.
        """
        if value is None or (not self.is_strict and cell_key(value) is None):
            return value
        text = open_cell(value, find=self.ring.find, place=(place, *row))
        if text is not None:
            return text
        table, _, column = place.partition(".")
        if not value.startswith(MARK) and (not self.is_strict or column in SEALED[table].codes):
            return value
        lost = SEALED[table].columns[column]
        if lost is None:
            return value if value.startswith(MARK) else MARK
        return lost % row if "%s" in lost else lost

    def is_cell(self, value: str | None, place: str, *row: object) -> int:
        """1 for what is sealed at this place; 0 for anything else, even if it looks like a cell."""
        is_text = cell_key(value) is not None and value is not None
        return int(is_text and open_cell(str(value), find=self.ring.find, place=(place, *row)) is not None)

    def lacks_key(self, value: str) -> bool:
        """Whether a cell is of a key that the ring does not have."""
        name = cell_key(value)
        return name is not None and self.ring.find(name) is None

    def hash(self, value: str | None) -> str | None:
        """What a label is found by."""
        return None if value is None else self.ring.hash(f"label:{value}")

    # --- files --------------------------------------------------------------------------------------------------------

    def seal_archive(self, content: bytes, *, key: SessionKey, owner: str | None) -> bytes:
        """An archive as it is written: under the key of the session's owner, else of the session."""
        name, box = self.ring.choose(person(owner) if owner else session(key))
        return seal_file(content, name=name, box=box)

    def renew_file(self, content: bytes) -> bytes | None:
        """A sealed file under the newest key of whose it is; None for one that is not under a key that goes."""
        name = read_key_name(content)
        plain = open_file(content, find=self.ring.find) if name in self.doomed else None
        newest = self.ring.succeed(name) if name is not None and plain is not None else None
        return None if plain is None or newest is None else seal_file(plain, name=newest[0], box=newest[1])

    def seal_note(self, text: str, *, name: str, key: SessionKey) -> str:
        """A paragraph of a note as it is written: one line, under the key of the session that it was written in."""
        key_name, box = self.ring.choose(session(key))
        return seal_cell(text, name=key_name, box=box, place=(_NOTE, name))

    def open_note(self, line: str, *, name: str) -> str | None:
        """The paragraph of a line of a sealed note; None where it cannot be opened."""
        return open_cell(line, find=self.ring.find, place=(_NOTE, name))

    def change_note(self, line: str, text: str, *, name: str) -> str:
        """Another text in the place of a sealed line, under the newest key of whose it is."""
        newest = self.ring.succeed(cell_key(line) or "")
        if newest is None:
            raise StoreError("A data key was destroyed while it was used", fix="Try again.")
        return seal_cell(text, name=newest[0], box=newest[1], place=(_NOTE, name))

    def open_archive(self, content: bytes) -> bytes | None:
        """An archive as it was; None where it cannot be opened. One that is not sealed is given back as it is."""
        return open_file(content, find=self.ring.find) if content.startswith(FILE_MARK) else content


def _lay_views(connection: apsw.Connection) -> None:
    """Lay a view of its name over each sealed table that is there."""
    for table in SEALED:
        columns = [str(row[1]) for row in connection.execute(f"PRAGMA main.table_info({table})")]
        if columns:
            connection.execute(build_view(table, columns))


def read_state(connection: apsw.Connection) -> SealState:
    """What a store is. Raises the engine's error where it is no store."""
    found = connection.execute("SELECT value FROM main.meta WHERE name = ?", (STATE_NAME,)).get
    match found:
        case "on":
            return "on"
        case "sealing":
            return "sealing"
        case "opening":
            return "opening"
        case _:
            return "off"


def check_unsealed(connection: apsw.Connection) -> None:
    """Raise `StoreError` for a store that is read without keys and has sealed words."""
    state = read_state(connection)
    if state != "off":
        raise StoreError(
            "The words of this store are encrypted",
            why="and this configuration gives no key: session.encryption.enabled is not set",
            fix="Set session.encryption as it was. To have the words in plain text again, run `instar encryption off`.",
        )


def find_person(name: str | None) -> str | None:
    """Whose key seals what belongs to a principal; nobody's for none."""
    return None if name is None else person(name)


def find_writer(submission: str) -> str:
    """Whose key seals a message in the inbox: whoever is answerable for it, else whoever wrote it."""
    try:
        found = read_submission(submission)
    except StoreError:
        return "gateway"
    return person(found.principal or f"{found.inbound.channel}:{found.inbound.sender.id}")


def find_author(line: str, open_messages: str) -> str | None:
    """Whoever wrote the one message that a line of a transcript is made of; None where that is not one person.

    What the agent answers, and what brings along what others said, is nobody's own: the words of several may be in it.
    `open_messages` has the messages that have not ended, as a JSON array of texts.
    """
    try:
        message = _objects.decode(line).get("message")
        submissions = _texts.decode(open_messages)
    except msgspec.DecodeError:
        return None
    if not isinstance(message, dict) or message.get("role") != "user" or _has_context(message):
        return None
    said = _spoken(message)
    writers = set()
    for submission in submissions:
        try:
            text = read_submission(submission).inbound.text
        except StoreError:
            continue
        if text and text in said:
            writers.add(find_writer(submission))
    return writers.pop() if len(writers) == 1 else None


def _has_context(message: dict[str, object]) -> bool:
    """Whether a message brings along what others said before it."""
    envelope = message.get(ENVELOPE_KEY)
    return isinstance(envelope, dict) and bool(envelope.get("context"))


def _spoken(message: dict[str, object]) -> str:
    """The words of a user's message."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    blocks = content if isinstance(content, list) else []
    return "\n".join(str(block.get("text", "")) for block in blocks if isinstance(block, dict))
