"""The page about the database names what is in it, and its queries run."""

from __future__ import annotations

import re
from pathlib import Path

import apsw
import pytest

from instar.stores.migrate import load_steps
from instar.stores.sqlite.connection import APPLICATION_ID, open_writer

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "formats" / "database.md").read_text()


@pytest.fixture
def database() -> apsw.Connection:
    return open_writer(":memory:", load_steps("sqlite"))


def tables(database):
    rows = database.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    return {name for (name,) in rows if not re.match(r"search_(data|idx|docsize|config|content)$", name)}


def test_every_table_has_its_place_on_the_page_and_every_place_its_table(database):
    headings = {name for line in re.findall(r"^### (.*)$", PAGE, re.MULTILINE) for name in re.findall(r"`(\w+)`", line)}
    assert tables(database) == headings | {"session_counts"}


def test_every_column_is_named_on_the_page(database):
    for table in tables(database):
        columns = {row[1] for row in database.execute(f"PRAGMA table_info({table})")}
        if table != "search":
            missing = {column for column in columns if f"`{column}`" not in PAGE}
            assert not missing, table


def test_the_mark_of_the_file_is_the_one_on_the_page(database):
    assert f"`0x{APPLICATION_ID:08X}`" in PAGE
    assert database.execute("PRAGMA application_id").get == APPLICATION_ID


def test_the_queries_of_the_page_run(database):
    (block,) = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)
    statements = [statement for statement in block.split(";") if statement.strip()]
    assert len(statements) == 3
    for statement in statements:
        database.execute(statement, {"id": "x", "key": "x"}).fetchall()
