"""A whole turn with the runner in the same process, beside the same commits by hand.

A turn is timed from the message at the door to the news that its run has ended: route, accept, lane, begin, context,
runner, finish. The runner is the echo, which takes no time of its own. The first row has the whole application around
it, with the mirror of files and the search index at work; the other side runs the very statements that such turns
were seen to write, in the same commits, on one bare apsw connection with the same pragmas. The other rows leave files
and index away, since those work behind the turns; there both sides are ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import apsw

from bench.harness import Options, Row, Table, at_most, await_in_turns, flat_aim, timed
from bench.inside import open_gateway, open_store, take_turn
from bench.seeds import copy_store, fill_transcript, seed_key
from instar.app import GatewayOptions, open_app
from instar.core.model.ids import SessionId, SessionKey
from instar.stores.migrate import load_steps
from instar.stores.sqlite.connection import open_writer

TITLE = "A whole turn"

KEY = SessionKey("agent:main:bench:1")
LARGE, LARGE_ID = SessionKey("agent:main:bench:large"), SessionId("ffffffff-0000-4000-8000-000000000000")
SMALL, SMALL_ID = SessionKey("agent:main:bench:small"), SessionId("eeeeeeee-0000-4000-8000-000000000000")

ACTIVE = 50
"""Sessions that take turns, one after the other, where many are stored."""


async def measure(options: Options) -> Table:
    """Every row of the table."""
    rows = [await measure_cost(options), await measure_sessions(options), *await measure_entries(options)]
    return Table(title=TITLE, text=__doc__.partition("\n\n")[2], rows=tuple(rows))


# --- against bare commits ---------------------------------------------------------------------------------------------


Commits = list[tuple[str, Mapping[str, object] | None]]
"""Statements in order, BEGIN and COMMIT among them."""


async def measure_cost(options: Options) -> Row:
    """The application's turn, beside the commits of one."""
    rounds = options.times(800)
    folders = {name: options.folder / f"turn-{name}" for name in ("seen", "bare", "ours")}
    paths = {name: await copy_store(options, 100, folder) for name, folder in folders.items()}
    seen = await record_turns(paths["seen"], rounds + 200)
    bare = open_writer(str(paths["bare"]), load_steps("sqlite")).cursor()
    env = {"INSTAR_STATE_DIR": str(folders["ours"])}
    async with open_app(GatewayOptions(port=0), env=env, home=options.folder) as app:

        async def run_ours(_number: int) -> None:
            await take_turn(app.gateway, KEY)

        async def run_bare(number: int) -> None:
            for statement, bindings in seen[number]:
                bare.execute(statement, bindings).fetchall()  # type: ignore[arg-type]  # as apsw itself told them

        taken = await await_in_turns({"ours": run_ours, "bare": run_bare}, rounds, warm_up=200)
    commits = sum(statement == "COMMIT" for statement, _ in seen[-1])
    return Row(
        name="a turn with the echo",
        ours=timed(taken["ours"]),
        against=f"its {commits} commits, bare apsw",
        theirs=timed(taken["bare"]),
        aim=at_most(5),
    )


async def record_turns(path: Path, turns: int) -> list[Commits]:
    """What each of so many turns writes."""
    found: list[Commits] = [[]]

    def trace(_cursor: apsw.Cursor, sql: str, bindings: Mapping[str, object] | None) -> bool:
        if sql.lstrip().startswith(("BEGIN IMMEDIATE", "COMMIT", "INSERT", "UPDATE", "DELETE")):
            found[-1].append((sql.strip(), bindings))
        return True

    def watch(connection: apsw.Connection) -> None:
        if not connection.readonly("main"):
            connection.exec_trace = trace  # type: ignore[assignment]  # every statement of the store names its values

    apsw.connection_hooks.append(watch)
    try:
        async with open_store(path) as store, open_gateway(store) as gateway:
            for _ in range(turns):
                found.append([])
                await take_turn(gateway, KEY)
    finally:
        apsw.connection_hooks.remove(watch)
    return found[1:]


# --- flat -------------------------------------------------------------------------------------------------------------


async def measure_sessions(options: Options) -> Row:
    """A turn where few and where many sessions are stored."""
    many = 20_000 if options.quick else 100_000
    few_path = await copy_store(options, 100, options.folder / "turn-few")
    many_path = await copy_store(options, many, options.folder / "turn-many")
    async with (
        open_store(few_path) as few_store,
        open_store(many_path) as many_store,
        open_gateway(few_store) as few_gateway,
        open_gateway(many_store) as many_gateway,
    ):

        async def run_few(number: int) -> None:
            await take_turn(few_gateway, seed_key(number % ACTIVE))

        async def run_many(number: int) -> None:
            await take_turn(many_gateway, seed_key(number % ACTIVE))

        ways = {"many": run_many, "few": run_few}
        taken = await await_in_turns(ways, options.times(1_000), warm_up=300)
    return Row(
        name=f"a turn, {many:,} sessions stored",
        ours=timed(taken["many"]),
        against="100 sessions stored",
        theirs=timed(taken["few"]),
        aim=flat_aim(),
    )


async def measure_entries(options: Options) -> list[Row]:
    """A turn of a short and of a long session, and the first turn of the long one, which reads the transcript."""
    many = 10_000 if options.quick else 100_000
    path = await copy_store(options, 100, options.folder / "turn-entries")
    async with open_store(path) as store:
        await fill_transcript(store, LARGE, session_id=LARGE_ID, entries=many)
        await fill_transcript(store, SMALL, session_id=SMALL_ID, entries=10)
        async with open_gateway(store) as gateway:

            async def run_large(_number: int) -> None:
                await take_turn(gateway, LARGE)

            async def run_small(_number: int) -> None:
                await take_turn(gateway, SMALL)

            first = await await_in_turns({"large": run_large}, 1, warm_up=0)
            ways = {"large": run_large, "small": run_small}
            taken = await await_in_turns(ways, options.times(1_000), warm_up=300)
    return [
        Row(
            name=f"a turn, {many:,} entries in the session",
            ours=timed(taken["large"]),
            against="10 entries",
            theirs=timed(taken["small"]),
            aim=flat_aim(),
        ),
        Row(name=f"the first turn after a start, {many:,} entries", ours=timed(first["large"])),
    ]
