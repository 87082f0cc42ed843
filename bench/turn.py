"""A whole turn with the runner in the same process, beside the same commits by hand.

A turn is timed from the message at the door to the news that its run has ended: route, accept, lane, begin, context,
runner, finish. The runner is the echo, which takes no time of its own. The first row has the whole application around
it, with the mirror of files and the search index at work; the other side runs the very statements that such turns
were seen to write, in the same commits, on one bare apsw connection with the same pragmas. The other rows leave files
and index away, since those work behind the turns; there both sides are ours.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import apsw

from bench.harness import Options, Row, Table, at_most, await_in_turns, flat_aim, timed
from bench.seeds import copy_store, fill_transcript, seed_key
from instar.app import GatewayOptions, open_app
from instar.config.config import parse_config
from instar.core.model.change import Submission
from instar.core.model.ids import AccountId, ChannelName, SessionId, SessionKey, TurnId
from instar.core.model.message import Chat, Inbound, Sender
from instar.gateway.gateway import Gateway
from instar.gateway.parts import GatewayParts
from instar.runners.book import ConfiguredModels
from instar.runners.echo import EchoRunner
from instar.stores.archive import TranscriptArchiver
from instar.stores.migrate import load_steps
from instar.stores.sqlite import SqliteStore
from instar.stores.sqlite.connection import open_writer
from instar.system.clock import SystemClock
from instar.system.ids import SystemIds
from instar.system.workspace import WorkspaceTexts

TITLE = "A whole turn"

WORDS = "Could you tell me what Ann wrote on the list for tomorrow, and whether the two boxes of fruit are on it?"
KEY = SessionKey("agent:main:bench:1")
LARGE, LARGE_ID = SessionKey("agent:main:bench:large"), SessionId("ffffffff-0000-4000-8000-000000000000")
SMALL, SMALL_ID = SessionKey("agent:main:bench:small"), SessionId("eeeeeeee-0000-4000-8000-000000000000")

ACTIVE = 50
"""Sessions that take turns, one after the other, where many are stored."""

ENDLESS = 1_000_000_000
"""The window of the model, in tokens: it never fills, so no turn compacts."""

_CONFIG = {
    "models": {
        "providers": {"bench": {"baseUrl": "http://127.0.0.1:9", "models": [{"id": "echo", "contextWindow": ENDLESS}]}}
    },
    "agents": {"defaults": {"model": "bench/echo"}},
}

_numbers = itertools.count()


async def measure(options: Options) -> Table:
    """Every row of the table."""
    rows = [await measure_cost(options), await measure_sessions(options), *await measure_entries(options)]
    return Table(title=TITLE, text=__doc__.partition("\n\n")[2], rows=tuple(rows))


async def take_turn(gateway: Gateway, key: SessionKey) -> None:
    """Send a message and wait until its run has ended."""
    run_id = TurnId(f"run-{next(_numbers)}")
    inbound = Inbound(
        channel=ChannelName("webchat"),
        account_id=AccountId("default"),
        message_id=run_id,
        chat=Chat(type="direct", id="bench"),
        sender=Sender(id="bench"),
        text=WORDS,
    )
    await gateway.submit(Submission(inbound=inbound, session_key=key, may_command=True, run_id=run_id))
    state = await gateway.wait_run(run_id, timeout_ms=60_000)
    if state is None or state.status != "ok":
        raise RuntimeError(f"the turn ended as {state}")


@asynccontextmanager
async def open_gateway(store: SqliteStore, folder: Path) -> AsyncIterator[Gateway]:
    """A gateway over an open store on disk, without what follows behind: no files, no index, no socket."""
    config = parse_config(_CONFIG, env={}, state_dir=folder, home=folder)
    clock = SystemClock()
    parts = GatewayParts(
        version="0",
        config=lambda: config,
        store=store,
        clock=clock,
        ids=SystemIds(),
        runner=EchoRunner(),
        models=ConfiguredModels(lambda: config),
        texts=WorkspaceTexts(workspace_of=lambda agent_id: Path(config.workspace(agent_id)), prompt_of=lambda _: None),
        archiver=TranscriptArchiver(store, config, clock=clock),
        tools={},
        channels={},
    )
    async with Gateway(parts) as gateway:
        yield gateway


@asynccontextmanager
async def open_store(path: Path) -> AsyncIterator[SqliteStore]:
    """A store on disk, closed at the end."""
    store = SqliteStore(path, reserve_bytes=0)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


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
        async with open_store(path) as store, open_gateway(store, path.parent) as gateway:
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
        open_gateway(few_store, few_path.parent) as few_gateway,
        open_gateway(many_store, many_path.parent) as many_gateway,
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
        async with open_gateway(store, path.parent) as gateway:

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
