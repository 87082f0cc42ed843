"""Named queries for a sealed store: what writes seals, what reads goes over views that open.

Pure: text in, text out. A statement that writes a sealed column in a way that is not understood here raises, when the
store opens, so that no word gets past.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from instar.stores.sealing.columns import SEALED, SealedTable

__all__ = ["build_change", "build_view", "seal_queries", "seal_statement"]

_INSERT: Final = re.compile(r"\bINSERT (?:OR \w+ )?INTO (\w+) \(", re.IGNORECASE)
_UPDATE: Final = re.compile(r"\bUPDATE (\w+) SET\s", re.IGNORECASE)
_WRITES: Final = re.compile(r"\b(INSERT (?:OR \w+ )?INTO|UPDATE|DELETE FROM)\s+(\w+)", re.IGNORECASE)
_PLACE: Final = re.compile(r"\{(\w+)\}")
_LABEL: Final = re.compile(r"(?<!\w)label = :label\b")


def seal_queries(queries: Mapping[str, str]) -> dict[str, str]:
    """Every named query as a sealed store runs it, and ``renew_cells_…`` for each sealed table.

    Raises ValueError naming one that cannot be sealed.
    """
    sealed = {name: seal_statement(text, name=name) for name, text in queries.items()}
    return sealed | {f"renew_cells_{table}": _build_renewal(table) for table in SEALED}


def _build_renewal(table: str) -> str:
    """Seal anew, under today's key of whose it is, what is sealed under a key that will be destroyed."""
    doomed = " OR ".join(f"instar_doomed({column})" for column in SEALED[table].columns)
    change = build_change(
        table,
        lambda column, sealed: f"CASE WHEN instar_doomed({column}) THEN {sealed} ELSE {column} END",
    )
    return f"{change} WHERE {doomed}"


def build_change(
    table: str, write: Callable[[str, str], str] = lambda _, sealed: sealed, *, given: Mapping[str, str] | None = None
) -> str:
    """An UPDATE of sealed columns, without its condition; `write` is given a column and what seals its value.

    `given` has new values for some columns; without it all are written with the values that they have.
    """
    sealed = SEALED[table]
    named = {column: f"{table}.{column}" for column in _named(sealed)}
    plain = {**named, **_opened(table, sealed), **(given or {})}
    columns = given or sealed.columns
    pairs = [f"{column} = {write(column, _write(table, sealed, column, plain))}" for column in columns]
    return f"UPDATE main.{table} SET {', '.join(pairs)}"  # noqa: S608 - names of our own


def seal_statement(text: str, *, name: str = "") -> str:
    """One statement as a sealed store runs it."""
    found = _WRITES.search(text)
    if found is None:
        return _hash_labels(text)
    verb, table = found.group(1).upper(), found.group(2)
    sealed = SEALED.get(table)
    if sealed is None:
        return _hash_labels(text)
    if verb == "UPDATE":
        text = _seal_update(text, table, sealed, name)
    elif verb == "DELETE FROM":
        _check_condition(text, table, sealed, name)
    else:
        text = _seal_insert(text, table, sealed, name)
    return _WRITES.sub(lambda each: f"{each.group(1)} {_qualify(each.group(2))}", text, count=1)


def _qualify(table: str) -> str:
    """The table itself instead of the view that lies over it."""
    return f"main.{table}" if table in SEALED else table


def _hash_labels(text: str) -> str:
    """A label is looked for by its hash."""
    return _LABEL.sub("label = instar_hash(:label)", text)


def _seal_insert(text: str, table: str, sealed: SealedTable, name: str) -> str:
    head = _INSERT.search(text)
    if head is None:
        raise ValueError(f"query {name} puts rows into {table} without naming their columns")
    columns_end = _find_end(text, head.end())
    values = re.compile(r"\s*VALUES\s*\(", re.IGNORECASE).match(text, columns_end + 1)
    if values is None:
        raise ValueError(f"query {name} puts rows into {table} in a way that is not sealed")
    end = _find_end(text, values.end())
    columns = [column.strip() for column in text[head.end() : columns_end].split(",")]
    given = dict(zip(columns, _split(text[values.end() : end]), strict=True))
    tail = text[end:]
    for column in (*sealed.columns, *sealed.hashed):
        if re.search(rf"\b{column} = (?!excluded\.{column}\b)", tail):
            raise ValueError(f"query {name} changes {table}.{column} on a conflict in a way that is not sealed")
    written = ", ".join(_write(table, sealed, column, given) for column in columns)
    return text[: values.end()] + written + tail


def _seal_update(text: str, table: str, sealed: SealedTable, name: str) -> str:
    head = _UPDATE.search(text)
    if head is None:
        raise ValueError(f"query {name} changes {table} in a way that is not sealed")
    end = _find_where(text, head.end())
    _check_condition(text[end:], table, sealed, name)
    changes = [part.strip() for part in _split(text[head.end() : end])]
    parts = [part.partition(" = ") for part in changes]
    if not all(column.isidentifier() and middle for column, middle, _ in parts):
        raise ValueError(f"query {name} changes {table} in a way that is not sealed")
    given = {column: value for column, _, value in parts}
    named = {column: f"{table}.{column}" for column in _named(sealed)}
    opened = _opened(table, sealed)
    for column in given.keys() & sealed.columns.keys():
        for other, value in opened.items():
            given[column] = _bare(other).sub(value.replace("\\", r"\\"), given[column])
    plain = {**named, **opened, **given}
    written = ", ".join(
        f"{column} = {_write(table, sealed, column, {**plain, column: value})}" for column, value in given.items()
    )
    return f"{text[: head.end()]}{written} {text[end:]}"


def _bare(column: str) -> re.Pattern[str]:
    """A column where it is named without its table; ``:name`` is a parameter."""
    return re.compile(rf"(?<![\w:.']){column}(?![\w'])")


def _check_condition(text: str, table: str, sealed: SealedTable, name: str) -> None:
    """Rows that are changed or removed cannot be chosen by what is sealed."""
    for column in (*sealed.columns, *sealed.hashed):
        if _bare(column).search(text):
            raise ValueError(f"query {name} chooses rows of {table} by {column}, which is sealed")


def _write(table: str, sealed: SealedTable, column: str, given: Mapping[str, str]) -> str:
    """What is written into a column, from the plain values of the row."""
    value = given[column]
    if column in sealed.hashed:
        return f"instar_hash({value})"
    if column not in sealed.columns or value.upper() == "NULL":
        return value
    row = ", ".join(_fill(f"{{{each}}}", given) for each in sealed.place)
    return f"instar_seal({value}, '{table}.{column}', {_fill(sealed.subject, given)}, {row})"


def _named(sealed: SealedTable) -> set[str]:
    """The columns that the expressions of a table name."""
    return {*sealed.place, *_PLACE.findall(sealed.subject)}


def _fill(expression: str, given: Mapping[str, str]) -> str:
    """An expression over plain values."""
    return _PLACE.sub(lambda found: f"({given[found.group(1)]})", expression)


def _opened(table: str, sealed: SealedTable) -> dict[str, str]:
    """The plain value of each sealed column of a row that is there."""
    row = ", ".join(f"{table}.{column}" for column in sealed.place)
    return {column: f"instar_open({table}.{column}, '{table}.{column}', {row})" for column in sealed.columns}


def build_view(table: str, columns: Sequence[str]) -> str:
    """The statement that lays a view of the same name over a table; `columns` are all of them, in order."""
    opened = _opened(table, SEALED[table])
    shown = ", ".join(f"{opened[column]} AS {column}" if column in opened else column for column in columns)
    return f"CREATE TEMP VIEW {table} AS SELECT {shown} FROM main.{table}"  # noqa: S608 - names of our own


# --- reading SQL, as far as the queries of this store need it ---------------------------------------------------------


def _scan(text: str, start: int) -> Iterator[tuple[int, str, int]]:
    """Each character outside of quotes, with its place and how many brackets are open before it."""
    depth, is_quoted = 0, False
    for at in range(start, len(text)):
        sign = text[at]
        if sign == "'":
            is_quoted = not is_quoted
        if is_quoted or sign == "'":
            continue
        yield at, sign, depth
        depth += (sign == "(") - (sign == ")")


def _find_end(text: str, start: int) -> int:
    """The place of the bracket that closes what was opened just before `start`."""
    return next(at for at, sign, depth in _scan(text, start) if sign == ")" and depth == 0)


def _find_where(text: str, start: int) -> int:
    """Where the condition of an UPDATE begins; the end where there is none."""
    return next(
        (
            at
            for at, sign, depth in _scan(text, start)
            if depth == 0 and sign in "Ww" and text[at : at + 6].upper() == "WHERE "
        ),
        len(text),
    )


def _split(text: str) -> list[str]:
    """The parts between commas that stand in no bracket."""
    cuts = [at for at, sign, depth in _scan(text, 0) if sign == "," and depth == 0]
    return [text[a:b].strip() for a, b in zip([0, *(cut + 1 for cut in cuts)], [*cuts, len(text)], strict=True)]
