"""A gateway in this process, over a store on disk, with a runner that takes no time: for tables that time turns."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from instar.config.config import parse_config
from instar.core.model.change import Submission
from instar.core.model.ids import AccountId, ChannelName, SessionKey, TurnId
from instar.core.model.message import Chat, Inbound, Sender
from instar.gateway.gateway import Gateway
from instar.gateway.parts import GatewayParts
from instar.ports.runner import Runner
from instar.runners.book import ConfiguredModels
from instar.runners.echo import EchoRunner
from instar.stores.archive import TranscriptArchiver
from instar.stores.sqlite import SqliteStore
from instar.system.clock import SystemClock
from instar.system.ids import SystemIds
from instar.system.workspace import WorkspaceTexts

__all__ = ["ENDLESS", "open_gateway", "open_store", "take_turn"]

WORDS = "Could you tell me what Ann wrote on the list for tomorrow, and whether the two boxes of fruit are on it?"

ENDLESS = 1_000_000_000
"""The window of a model, in tokens, that never fills, so that no turn compacts."""

_numbers = itertools.count()


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
async def open_gateway(
    store: SqliteStore, *, runner: Runner | None = None, window_tokens: int = ENDLESS
) -> AsyncIterator[Gateway]:
    """A gateway over an open store, without what follows behind: no files, no index, no socket."""
    folder = Path(str(store.engine.describe()["path"])).parent
    model = {"id": "echo", "contextWindow": window_tokens}
    raw = {
        "models": {"providers": {"bench": {"baseUrl": "http://127.0.0.1:9", "models": [model]}}},
        "agents": {"defaults": {"model": "bench/echo"}},
    }
    config = parse_config(raw, env={}, state_dir=folder, home=folder)
    clock = SystemClock()
    parts = GatewayParts(
        version="0",
        config=lambda: config,
        store=store,
        clock=clock,
        ids=SystemIds(),
        runner=runner or EchoRunner(),
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
