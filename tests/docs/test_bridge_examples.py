"""The example bridges do what they say, against a gateway's real port."""

import asyncio
import json
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from instar.channels.bridge.adapter import BridgeChannel
from instar.core.model.ids import AccountId, ChannelName, DeliveryId
from instar.core.model.message import Outbound, Target
from instar.testing.channel_suite import MemoryContext
from tests.builders.wire import open_server, run_story

EXAMPLES = Path(__file__).parents[2] / "examples" / "bridge"
TOKEN = "a-long-secret"


class Answering(MemoryContext):
    """A gateway that owes an answer for each message."""

    async def _accept(self, inbound):
        answer = await super()._accept(inbound)
        target = Target(
            channel=inbound.channel, account_id=AccountId("default"), to=inbound.chat.id, chat_type="direct"
        )
        number = len(self.accepted)
        self.owe(Outbound(delivery_id=DeliveryId(f"d{number}"), target=target, text=f'You said: "{inbound.text}"'))
        return answer


@asynccontextmanager
async def open_bridge():
    bridge, world = BridgeChannel(ChannelName("me"), token=TOKEN), Answering()
    await bridge.start(world.context())
    async with open_server(mounts={"me": bridge.http_app}) as (server, _):
        yield f"http://127.0.0.1:{server.port}/channels/me", world
        await bridge.stop()


async def start(*command):
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe)


async def until(is_so):
    async with asyncio.timeout(60):
        while not is_so():  # noqa: ASYNC110 - a program of somebody else tells nobody what it has done
            await asyncio.sleep(0.01)


def test_the_bridge_in_python_says_prints_and_confirms():
    async def story():
        async with open_bridge() as (url, world):
            process = await start(sys.executable, str(EXAMPLES / "bridge.py"), url, TOKEN)
            for number, text in enumerate(["hello", "grüß dich"], start=1):
                process.stdin.write(f"{text}\n".encode())
                await process.stdin.drain()
                printed = await asyncio.wait_for(process.stdout.readline(), timeout=60)
                assert printed.decode().strip() == f'You said: "{text}"'
                await until(lambda number=number: len(world.receipts) == number)
            process.stdin.close()
            assert await process.wait() == 0
            assert [inbound.text for inbound in world.accepted] == ["hello", "grüß dich"]
            assert world.owed == []

    run_story(story)


@pytest.mark.needs("curl")
def test_the_bridge_in_shell_says_prints_and_confirms():
    async def story():
        async with open_bridge() as (url, world):
            process = await start("sh", str(EXAMPLES / "bridge.sh"), url, TOKEN, 'say "hi" \\ now')
            out, errors = await process.communicate()
            assert process.returncode == 0, errors.decode()
            assert json.loads(out)["messages"][0]["text"] == 'You said: "say "hi" \\ now"'
            assert [inbound.text for inbound in world.accepted] == ['say "hi" \\ now']
            assert world.receipts["d1"].status == "sent"

    run_story(story)


def test_the_bridge_in_python_has_twenty_lines():
    lines = (EXAMPLES / "bridge.py").read_text().split('"""', 2)[2].splitlines()
    assert len([line for line in lines if line.strip()]) <= 22
