"""Every row of a database, so that two of them can be compared field by field."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import apsw

__all__ = ["NOT_CARRIED", "dump_tables"]

NOT_CARRIED: Mapping[str, str] = {
    "meta": "the schema and the number of starts are those of the new database",
    "lanes": "who runs a lane now has no meaning elsewhere",
    "mirror": "the files of the mirror lie elsewhere",
    "search_marks": "the index is made anew from the entries",
    "search_rows": "the same",
    "tokens": "credentials are given out anew",
    "devices": "keys of other machines are approved anew",
    "device_requests": "they wait for minutes",
    "pairing_codes": "they live for an hour; whoever writes again gets a new one",
    "erasures": "an erasure ends where it began",
}
"""Tables that no export carries, each with the reason."""

_NUMBERS = {"sessions": "id", "transcripts": "id", "decisions": "id", "usage": "id", "state_log": "id", "notices": "id",
            "inbox": "seq", "outbox": "seq"}  # fmt: skip
"""Columns that only number rows: their order is compared, not their values."""

_ORDERED = frozenset({"inbox", "outbox", "decisions", "usage", "state_log", "notices"})


def dump_tables(path: Path) -> dict[str, list[dict[str, object]]]:
    """Every row of every table that an export carries, by name of column; one that nobody explained is in it too."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    names = {str(row[0]) for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    shadows = {name for name in names if name == "search" or (name.startswith("search_") and name not in NOT_CARRIED)}
    session_ids = dict(connection.execute("SELECT id, session_id FROM transcripts"))
    tables: dict[str, list[dict[str, object]]] = {}
    for table in sorted(names - shadows - NOT_CARRIED.keys()):
        columns = [str(row[1]) for row in connection.execute(f"PRAGMA table_info({table})")]
        order = f" ORDER BY {_NUMBERS[table]}" if table in _ORDERED else ""
        query = f"SELECT * FROM {table}{order}"  # noqa: S608 - names of the schema
        rows = [dict(zip(columns, row, strict=True)) for row in connection.execute(query)]
        for row in rows:
            row.pop(_NUMBERS.get(table, ""), None)
            if table == "entries":
                row["transcript"] = session_ids[row["transcript"]]
        tables[table] = rows if table in _ORDERED else sorted(rows, key=lambda row: json.dumps(row, default=str))
    connection.close()
    return tables
