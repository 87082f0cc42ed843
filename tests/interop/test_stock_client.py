"""A stock client of the protocol talks to a real gateway, and every frame it gets keeps the protocol's schema."""

import asyncio
import json
import os
import re
import sys
from contextlib import asynccontextmanager

from instar.api.server import ApiServer
from instar.api.settings import ApiSettings, AuthSettings
from instar.protocol.methods import CONNECT, METHODS
from instar.system.clock import SystemClock
from instar.system.ids import SystemIds
from instar.testing.gateway import GatewayInMemory

TOKEN = "a-token-for-tests-that-opens-nothing-else"


@asynccontextmanager
async def listen(world):
    settings = ApiSettings(port=0, auth=AuthSettings(token=TOKEN))
    async with ApiServer(settings, world.gateway, clock=SystemClock(), ids=SystemIds()) as server:
        yield server.url


def test_the_reference_client_connects_talks_lists_resets_and_comes_back(drive):
    async def story():
        async with GatewayInMemory(clock=SystemClock(), ids=SystemIds()) as world:
            async with listen(world) as url:
                first = await drive(url, TOKEN)
            await world.restart()
            async with listen(world) as url:
                return first, await drive(url, TOKEN, "again")

    first, again = asyncio.run(story())
    check_first(first)
    check_again(first, again)


def check_first(report):
    assert report["findings"] == []
    steps = report["steps"]
    assert steps["hello"]["protocol"] == 4
    assert steps["turn"]["started"] == {"runId": "run-1", "status": "started"}
    assert steps["turn"]["final"]["state"] == "final"
    assert steps["repeated"] == {"runId": "run-1", "status": "ok"}
    assert steps["wait"]["status"] == "ok"
    assert [message["role"] for message in steps["history"]["messages"]] == ["user", "assistant"]
    assert steps["history"]["messages"][0]["content"] == "one"
    assert [row["label"] for row in steps["list"]["sessions"]] == ["interop"]
    assert steps["resolved"]["key"] == "agent:main:dashboard:interop"
    assert steps["reset"]["entry"]["sessionId"] != steps["history"]["sessionId"]
    assert steps["afterReset"]["messages"] == []
    assert [message["role"] for message in steps["reconnected"]["messages"]] == ["user", "assistant"]
    assert steps["unknown"] == "unknown method: nope.nope"
    assert steps["bogus"] == (
        "invalid sessions.patch params: must have required property 'key'; at root: unexpected property 'bogus'"
    )
    for event in ("chat", "agent", "session.message", "sessions.changed"):
        assert report["events"][event] > 0, event


def check_again(first, again):
    assert again["findings"] == []
    assert again["steps"]["repeated"] == first["steps"]["repeated"]
    assert again["steps"]["history"]["messages"] == first["steps"]["reconnected"]["messages"]


def test_every_field_that_the_protocol_knows_is_accepted(packages):
    """RPC-30: a method takes the fields of its params in the schema."""
    schema = json.loads((packages / "@openclaw" / "gateway-protocol" / "protocol.schema.json").read_text())
    for name, method in [*METHODS.items(), ("connect", CONNECT)]:
        definition = schema["definitions"].get(_definition(name))
        if definition is None:
            continue
        known = {field.name for field in method.fields}
        assert set(definition.get("properties", {})) <= known, name
        assert set(definition.get("required", [])) >= {one.name for one in method.fields if one.required}, name


def _definition(method: str) -> str:
    special = {"agent": "AgentParams", "agent.identity.get": "AgentIdentityParams", "connect": "ConnectParams"}
    words = method.replace(".", " ").split()
    return special.get(method, "".join(word[0].upper() + word[1:] for word in words) + "Params")


RUN = """
import sys
from pathlib import Path
from instar.app import GatewayOptions, run_gateway
sys.exit(run_gateway(GatewayOptions(config_path=Path(sys.argv[1]), port=0)))
"""


@asynccontextmanager
async def run_gateway_process(folder):
    """A gateway as a process of its own; killed without a word at the end."""
    environment = os.environ | {"INSTAR_STATE_DIR": str(folder / "state")}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        RUN,
        str(folder / "instar.json5"),
        stdout=asyncio.subprocess.PIPE,
        env=environment,
    )
    try:
        ready = await asyncio.wait_for(process.stdout.readline(), timeout=60)
        address = re.search(rb"http://(\S+)", ready)
        assert address, ready
        known = json.loads((folder / "state" / "gateway.json").read_text())
        yield f"ws://{address[1].decode()}", known["token"]
    finally:
        process.kill()
        await process.wait()


def test_the_reference_client_finds_every_word_after_the_gateway_was_killed(drive, tmp_path):
    (tmp_path / "instar.json5").write_text("{}")

    async def story():
        async with run_gateway_process(tmp_path) as (url, token):
            first = await drive(url, token)
        async with run_gateway_process(tmp_path) as (url, token):
            return first, await drive(url, token, "again")

    first, again = asyncio.run(story())
    check_first(first)
    check_again(first, again)
