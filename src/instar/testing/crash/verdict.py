"""The reckoning: a copy of the database against what senders were told and receivers heard.

The rows are read with plain SQL and not through the store, whose mistakes are what is looked for. Only copies are
opened: opening the file itself would bring its log home, and that is the next gateway's work to do.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import apsw

from instar.testing.crash.ledger import Ledger, find_tokens

__all__ = [
    "StoredWords",
    "check_copy",
    "check_soundness",
    "copy_files",
    "count_open",
    "find_missing",
    "judge",
    "read_words",
]

_ENDED_WELL: Final = frozenset({"answered", "merged"})
"""What may become of a message in these stories (LOSS-2): nobody resets, stops or is refused."""

_SHOWN: Final = 20


@dataclass(slots=True, kw_only=True)
class StoredWords:
    """Where each token stands in a database: by token, the state of its message and the places of its words."""

    inbox: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    asked: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    answered: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    owed: dict[str, list[tuple[str, str]]] = field(default_factory=lambda: defaultdict(list))
    orphans: int = 0
    entries: int = 0
    recovered: int = 0


def copy_files(database: Path, folder: Path) -> Path:
    """The database with its log as they lie there, in another folder. Call it when no process has them open."""
    folder.mkdir(parents=True, exist_ok=True)
    for suffix in ("", "-wal"):
        source, target = database.with_name(database.name + suffix), folder / (database.name + suffix)
        target.unlink(missing_ok=True)
        if source.is_file():
            shutil.copyfile(source, target)
    (folder / f"{database.name}-shm").unlink(missing_ok=True)
    return folder / database.name


def check_copy(copy: Path, told: list[str]) -> list[str]:
    """After a kill: is the database sound, and does it hold every message that was acknowledged (LOSS-1)?"""
    found = check_soundness(copy)
    if found:
        return found[:_SHOWN]
    found += [f"{token} was acknowledged and is not stored" for token in find_missing(copy, told)]
    return found[:_SHOWN]


def check_soundness(copy: Path) -> list[str]:
    """What SQLite finds wrong with a database, in its own words."""
    connection = apsw.Connection(str(copy))
    try:
        rows = connection.execute("PRAGMA integrity_check").fetchall()
        found = [f"integrity_check says {row[0]}" for row in rows if row[0] != "ok"]
        found += [f"a row without its parent: {row}" for row in connection.execute("PRAGMA foreign_key_check")]
    except apsw.Error as error:
        return [f"integrity_check says {error}"]
    finally:
        connection.close()
    return found


def find_missing(copy: Path, told: list[str]) -> list[str]:
    """Those of some messages that a database does not hold."""
    connection = apsw.Connection(str(copy))
    try:
        has_tables = connection.execute("SELECT COUNT(*) FROM sqlite_master WHERE name = 'inbox'").get
        names = connection.execute("SELECT message_id FROM inbox").fetchall() if has_tables else []
    finally:
        connection.close()
    stored = {row[0] for row in names}
    return [token for token in told if token not in stored]


def count_open(database: Path) -> int:
    """How many messages have not ended and replies are still owed; of a database that a gateway has open, too."""
    connection = apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        messages: int = connection.execute("SELECT COUNT(*) FROM inbox WHERE ended_at IS NULL").get
        replies: int = connection.execute("SELECT COUNT(*) FROM outbox WHERE ended_at IS NULL").get
    finally:
        connection.close()
    return messages + replies


def read_words(copy: Path) -> StoredWords:
    """Every token in a database."""
    words = StoredWords()
    connection = apsw.Connection(str(copy))
    try:
        for message_id, state in connection.execute("SELECT message_id, state FROM inbox"):
            words.inbox[message_id].append(state)
        query = "SELECT t.key, e.line, e.parent_seq, e.seq FROM entries e JOIN transcripts t ON t.id = e.transcript"
        for key, line, parent_seq, seq in connection.execute(query):
            words.entries += 1
            words.orphans += parent_seq is not None and parent_seq >= seq
            _read_entry(words, key, json.loads(line))
        for text, state, key in connection.execute("SELECT text, state, session_key FROM outbox"):
            for token in find_tokens(text):
                words.owed[token].append((state, key))
        query = "SELECT COUNT(*) FROM decisions WHERE rule = 'LOSS-4'"
        words.recovered = connection.execute(query).get
    finally:
        connection.close()
    return words


def _read_entry(words: StoredWords, key: str, entry: dict[str, object]) -> None:
    message = entry.get("message")
    if not isinstance(message, dict):
        return
    content = message.get("content")
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content or []
    text = " ".join(str(block.get("text", "")) for block in blocks if block.get("type") == "text")
    if message.get("role") == "user":
        for token in find_tokens(text):
            words.asked[token].append(key)
    elif message.get("role") == "assistant":
        for token in find_tokens(text):
            words.answered[token].append(key)


def judge(words: StoredWords, ledger: Ledger) -> list[str]:
    """Every breach of: acknowledged = stored once = answered once, in the right session (LOSS-1, 2, 4, 5)."""
    found = [*ledger.contradictions]
    if words.orphans:
        found.append(f"{words.orphans} entries name a parent that does not stand before them")
    found += [f"{token} is stored and nobody sent it" for token in words.inbox if token not in ledger.people]
    for token in ledger.people:
        found += [f"{token}: {what}" for what in _judge_one(token, words, ledger)]
    return found[: _SHOWN * 5]


def _judge_one(token: str, words: StoredWords, ledger: Ledger) -> Iterator[str]:
    person = ledger.people[token]
    key = person.session_key
    if token not in ledger.told:
        yield "it was repeated until the end and never acknowledged"
    if len(words.inbox[token]) != 1 or words.inbox[token][0] not in _ENDED_WELL:
        yield f"its rows at the door are {words.inbox[token]}"
    if words.asked[token] != [key]:
        yield f"its words stand in {_count(words.asked[token])} and belong once into {key}"
    if words.answered[token] != [key]:
        yield f"it was answered in {_count(words.answered[token])}, and once in {key} was right"
    owed = [("sent", key)] if person.channel else []
    if words.owed[token] != owed:
        yield f"the replies to it are {words.owed[token]}"
    heard = len(ledger.heard.get(token, ()))
    if heard != len(owed):
        yield f"{heard} different replies to it were handed out"


def _count(places: list[str]) -> str:
    return ", ".join(f"{key} ({count}×)" for key, count in Counter(places).items()) or "no session"  # noqa: RUF001 - as in tables for people
