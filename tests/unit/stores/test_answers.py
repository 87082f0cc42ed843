"""Short questions are answered where they are asked; whatever would hold others up is answered by a reader's thread."""

from __future__ import annotations

import asyncio
import threading

import apsw
import pytest

from instar.errors import StoreError
from instar.stores.known import Known
from instar.stores.sqlite import SqliteEngine
from instar.stores.sqlite.answers import SHORT_S, ShortAnswers
from instar.stores.sqlite.connection import SqliteTransaction

LONG = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400000) SELECT COUNT(*) FROM n"
SHORT = "SELECT 7"


def ask(engine, query=SHORT, *, is_short=True, asked=None):
    """One question; the threads on which it was asked are added to `asked`."""

    def unit(tx):
        if asked is not None:
            asked.append(threading.get_ident())
        return tx._cursor.execute(query).fetchall()[0][0]

    return engine.read(unit, is_short=is_short)


def with_engine(scenario, tmp_path):
    """Run `scenario` with a database of its own."""

    async def run():
        engine = SqliteEngine(tmp_path / "instar.db", reserve_bytes=0)
        await engine.open()
        try:
            await scenario(engine)
        finally:
            await engine.close()

    asyncio.run(run())


def test_a_short_question_is_answered_where_it_is_asked(tmp_path):
    async def scenario(engine):
        asked = []
        assert await ask(engine, asked=asked) == 7
        assert asked == [threading.get_ident()]

    with_engine(scenario, tmp_path)


def test_any_other_question_leaves_the_event_loop_free(tmp_path):
    async def scenario(engine):
        asked = []
        assert await ask(engine, is_short=False, asked=asked) == 7
        assert threading.get_ident() not in asked

    with_engine(scenario, tmp_path)


def test_what_takes_longer_than_was_said_is_answered_by_a_reader(tmp_path):
    async def scenario(engine):
        asked = []
        assert await ask(engine, LONG, asked=asked) == 400_000
        assert asked[0] == threading.get_ident() != asked[1]
        assert await ask(engine) == 7

    with_engine(scenario, tmp_path)


def test_others_have_their_turn_after_each_answer(tmp_path):
    async def scenario(engine):
        turns = 0

        async def count():
            nonlocal turns
            while True:
                await asyncio.sleep(0)
                turns += 1

        counting = asyncio.create_task(count())
        for _ in range(10):
            await ask(engine)
        counting.cancel()
        assert turns >= 9

    with_engine(scenario, tmp_path)


def test_an_error_reaches_its_caller_and_the_next_question_is_answered(tmp_path):
    async def scenario(engine):
        with pytest.raises(StoreError, match="no such table"):
            await ask(engine, "SELECT * FROM nowhere")
        asked = []
        assert await ask(engine, asked=asked) == 7
        assert asked == [threading.get_ident()]

    with_engine(scenario, tmp_path)


def test_who_ends_the_program_is_not_held_up(tmp_path):
    async def scenario(engine):
        def unit(_tx):
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            await engine.read(unit, is_short=True)

    with_engine(scenario, tmp_path)


def test_a_question_from_another_thread_does_not_end_the_snapshot_of_the_first(tmp_path):
    answers = _answers(tmp_path, monotonic=lambda: 0.0)
    met = []

    def unit(tx):
        other = threading.Thread(target=lambda: met.append(answers.attempt(lambda _tx: "second")))
        other.start()
        other.join()
        return "first" if tx._connection.in_transaction else "lost"

    outcome = answers.attempt(unit)
    assert (outcome.value, met) == ("first", [None])


def test_the_time_is_over_when_the_clock_says_so(tmp_path):
    now = [5.0]

    def tell():
        now[0] += SHORT_S / 3
        return now[0]

    answers = _answers(tmp_path, monotonic=tell)
    query = LONG.replace("400000", "50000")
    assert answers.attempt(lambda tx: tx._cursor.execute(query).fetchall()) is None
    assert answers.attempt(lambda tx: tx._cursor.execute(SHORT).fetchall()).value == [(7,)]


def _answers(tmp_path, *, monotonic):
    connection = apsw.Connection(str(tmp_path / "own.db"))
    return ShortAnswers(connection, SqliteTransaction(connection, {}, Known(0)), tmp_path, monotonic=monotonic)
