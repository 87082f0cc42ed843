"""A look at every row of every table (LEAK-6): a row that holds words says of which session, and they are that one's.

Tables are found by existing, and one that names no session, or is known to hold no words, may hold none. A session that
nothing was seen to leave is of the circle whose words are found in it first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import apsw

from instar.stores.erasing.registry import TABLES
from instar.testing.leaks.people import Circle, Words

__all__ = ["look_at_rows"]

_KEYS: Final = ("session_key", "key", "watcher")


def look_at_rows(
    connection: apsw.Connection,
    words: Words,
    *,
    may_hold: Callable[[Circle, Circle], bool],
    keys: dict[str, Circle],
) -> Iterator[str]:
    """A sentence for each word in a row of a session that it must not be in, or of none."""
    transcripts = {row[0]: row[1] for row in connection.execute("SELECT id, key FROM transcripts")}
    for table in _tables(connection):
        columns = [str(one[1]) for one in connection.execute(f"PRAGMA table_info({table})")]
        for row in connection.execute(f"SELECT * FROM {table}"):  # noqa: S608 - names of our own schema
            text = "\n".join(str(value) for value in row if isinstance(value, (str, bytes)))
            found = words.secrets_in(text)
            if not found:
                continue
            named = dict(zip(columns, row, strict=True))
            key = transcripts.get(named.get("transcript")) or next(
                (named[name] for name in _KEYS if named.get(name)), None
            )
            if table in TABLES and not TABLES[table].words:
                yield f"{min(found)} of {found[min(found)]} is in a row of {table}, which holds no words: {text[:200]}"
            for word, circle in found.items():
                home = keys.setdefault(str(key), circle) if key else None
                if home is None or not may_hold(home, circle):
                    yield f"{word} of {circle} is in a row of {table} of {key or 'no session'}, which is of {home}"


def _tables(connection: apsw.Connection) -> list[str]:
    """Every table but the index of words, which holds no text that could be read: searches look at that one."""
    names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    return [str(name) for (name,) in names if not str(name).startswith(("sqlite_", "search"))]
