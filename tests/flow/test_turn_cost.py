"""What a turn leaves undone: work that grows with the session and that nobody asked for (SCALE-6)."""

import asyncio

from instar.core.model.change import Submission
from instar.core.model.entry import AssistantMessage, UserMessage
from instar.core.model.message import Chat, Inbound, Sender
from instar.runners.echo import EchoRunner
from instar.testing.gateway import GatewayInMemory


class WatchedEcho(EchoRunner):
    """An echo that keeps what it was asked."""

    def __init__(self):
        super().__init__()
        self.requests = []

    async def run(self, request):
        self.requests.append(request)
        async for event in super().run(request):
            yield event


def build_submission(number, text):
    return Submission(
        inbound=Inbound(
            channel="webchat",
            account_id="default",
            message_id=f"m{number}",
            chat=Chat(type="direct", id="ann"),
            sender=Sender(id="ann"),
            text=text,
        ),
        session_key="agent:main:bench:1",
        run_id=f"run-{number}",
    )


async def ask_two(runner):
    async with GatewayInMemory(runner=runner) as world:
        for number, text in enumerate(("first", "second")):
            await world.gateway.submit(build_submission(number, text))
            await world.gateway.wait_run(f"run-{number}", timeout_ms=5_000)
    return runner.requests


def test_a_runner_that_reads_only_the_newest_message_makes_nobody_plan_the_rest():
    requests = asyncio.run(ask_two(WatchedEcho()))
    assert [request.messages.planned for request in requests] == [None, None]


def test_a_prompt_is_the_same_read_from_either_end():
    _, second = asyncio.run(ask_two(WatchedEcho()))
    backwards = list(reversed(second.messages))
    assert second.messages.planned is not None
    assert backwards == list(reversed(list(second.messages)))
    assert [type(message) for message in backwards] == [UserMessage, AssistantMessage, UserMessage]
    assert second.messages[-1] == backwards[0]
