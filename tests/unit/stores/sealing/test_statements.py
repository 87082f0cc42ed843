"""Statements of a sealed store: whatever writes a sealed column seals it, or the store does not open."""

from __future__ import annotations

import re

import pytest

from instar.stores.erasing.registry import TABLES
from instar.stores.sealing.columns import SEALED
from instar.stores.sealing.statements import seal_queries, seal_statement
from instar.stores.transaction import load_queries

READABLE = {
    ("search", "words"): "the index is empty",
    ("devices", "name"): "what the owner's devices call themselves",
    ("device_requests", "name"): "the same",
    ("tokens", "label"): "the owner's own words for a credential",
    ("state_log", "summary"): "fixed sentences, which may name a session key",
    ("notices", "text"): "the same",
}
"""Columns that an erasure counts as words and that are not sealed, and why."""


def test_every_column_of_words_is_sealed_or_has_a_reason_not_to_be():
    words = {(table, column) for table, known in TABLES.items() for column in known.words}
    sealed = {(table, column) for table, one in SEALED.items() for column in (*one.columns, *one.hashed)}
    assert words - sealed == READABLE.keys()


def test_every_statement_that_writes_a_sealed_column_seals_it():
    before = load_queries("sqlite")
    after = seal_queries(before)
    seen = 0
    for name, text in before.items():
        found = re.match(r"\s*(?:INSERT INTO|UPDATE) (\w+)\b", text)
        table = found.group(1) if found else ""
        if table not in SEALED:
            continue
        for column in SEALED[table].columns:
            if re.search(rf":{column}\b", text) and re.search(rf"\b{column}\b", text):
                seen += 1
                assert f"'{table}.{column}'" in after[name], name
        assert f"main.{table}" in after[name], name
    assert seen > 15


@pytest.mark.parametrize(
    "text",
    [
        "INSERT INTO entries VALUES (1, 2, 3)",
        "INSERT INTO entries (transcript, line) SELECT 1, line FROM other",
        "INSERT OR REPLACE INTO outbox (delivery_id, text) SELECT 1, 2",
        "UPDATE entries SET (line) = (:line) WHERE seq = 1",
        "UPDATE outbox SET state = 'x' WHERE text = :text",
        "DELETE FROM outbox WHERE text = :text",
        "DELETE FROM sessions WHERE label = :label",
        (
            "INSERT INTO pairings (channel, account_id, chat_type, peer_id, session_key, name) "
            "VALUES (:a, :b, :c, :d, :e, :name) ON CONFLICT DO UPDATE SET name = :name"
        ),
    ],
)
def test_a_statement_that_cannot_be_sealed_is_refused(text):
    with pytest.raises(ValueError, match="query odd "):
        seal_statement(text, name="odd")


@pytest.mark.parametrize(
    "text", ["SELECT line FROM entries", "UPDATE usage SET cost_usd = 1", "INSERT INTO members (person) VALUES (:p)"]
)
def test_what_writes_no_sealed_column_stays_as_it_is(text):
    assert seal_statement(text) == text


def test_a_value_with_brackets_commas_and_quotes_stays_whole():
    text = "UPDATE inbox SET reason = COALESCE(:reason, 'a, (b)'), submission = max(:submission, '') WHERE seq = 1"
    sealed = seal_statement(text)
    assert "reason = COALESCE(:reason, 'a, (b)'), submission = instar_seal(max(:submission, ''), " in sealed
    assert sealed.endswith(" WHERE seq = 1")


def test_a_label_is_looked_for_by_its_hash():
    assert seal_statement("SELECT fields FROM sessions WHERE label = :label") == (
        "SELECT fields FROM sessions WHERE label = instar_hash(:label)"
    )
