"""Four hundred turns with tools in a window of 8 k, at each provider's wire, and a kill in the middle of a summary."""

import asyncio
import itertools
import json
import random
import threading

import pytest

from instar.testing.model_server import ModelServer, count_prompt
from instar.testing.script import Reply, call
from tests.builders.process import GatewayProcess, build_process_config, wait_until
from tests.builders.requests import is_summary

ANN = "agent:main:telegram:direct:ann"
WINDOW = 8_192
TURNS = 400
LOOKS = "Let me look."
WORDS = ("river", "heron", "winter", "letter", "garden", "copper", "violin", "harbour", "sugar", "meadow")


def prose(rng, chars):
    return " ".join(rng.choice(WORDS) for _ in range(chars // 7))


class Talker:
    """Answers, asks a tool in every third turn, sums up; stands still for ever in the middle of one summary."""

    def __init__(self, *, hold_summary):
        self.reached = threading.Event()
        self.is_killed = False
        self.summaries = 0
        self._hold_summary = hold_summary
        self._rng = random.Random(8)
        self._turns = itertools.count(1)

    def __call__(self, asked):
        rng = self._rng
        if is_summary(asked.system):
            self.summaries += 1
            hold = self._hold if self.summaries == self._hold_summary else None
            text = f"## Goal\nTalk about {prose(rng, 60)}.\n## Progress\n{prose(rng, 300)}"
            return Reply(text=text, before_chunk=hold)
        if asked.last is not None and asked.last.role == "tool":
            return Reply(text=f"I have looked. {prose(rng, 100)}")
        if next(self._turns) % 3 == 0:
            return Reply(text=LOOKS, calls=tuple(call("session_status") for _ in range(rng.choice([1, 2]))))
        return Reply(text=f"Fine. {prose(rng, 150)}")

    async def _hold(self, index):
        if index == 1:
            self.reached.set()
            await asyncio.get_running_loop().create_future()


def build_config(api, url):
    config = build_process_config(model_url=url)
    provider = config["models"]["providers"]["mine"]
    provider |= {"api": api, "models": [{"id": "test", "contextWindow": WINDOW, "maxTokens": 1_000}]}
    return config


def url_of(server, api):
    return {"anthropic-messages": server.anthropic_url, "google-generative-ai": server.google_url}.get(
        api, server.openai_url
    )


def take_answers(gateway, talker):
    """The replies to one message, to the last; where a summary stands still the gateway is killed and started."""
    texts = []
    while not texts or texts[-1] == LOOKS:
        if talker.reached.is_set() and not talker.is_killed:
            # The message waits for the summary (COMPACT-24), and neither is lost with the process.
            talker.is_killed = True
            gateway.kill()
            gateway.start()
        texts += [reply["text"] for reply in gateway.take(min(1, len(gateway.fetch(wait_s=0.2))))]
    return texts


@pytest.mark.timeout(400)  # ten seconds on a quiet machine, a minute and more beside others
@pytest.mark.parametrize(
    "api", ["openai-completions", "openai-responses", "anthropic-messages", "google-generative-ai"]
)
def test_a_long_talk_stays_within_the_window_and_loses_nothing_at_a_kill(api, tmp_path):
    talker, rng = Talker(hold_summary=2), random.Random(400)
    told = []
    texts = [f"Message {number}: {prose(rng, rng.choice([20, 100, 300]))}" for number in range(TURNS)]
    with (
        ModelServer(talker, window_tokens=WINDOW) as server,
        GatewayProcess(tmp_path, build_config(api, url_of(server, api))) as gateway,
    ):
        for number, text in enumerate(texts):
            gateway.post(text, message_id=number)
            told += take_answers(gateway, talker)
        wait_until(lambda: not gateway.call("sessions.describe", key=ANN)["session"]["hasActiveRun"])
        session = gateway.call("sessions.describe", key=ANN)["session"]
        exported = gateway.call("sessions.export", key=ANN, format="jsonl")["content"]
    lines = [entry["message"] for entry in map(json.loads, exported.splitlines()) if entry["type"] == "message"]
    assert talker.is_killed
    assert session["compactionCount"] >= 3
    assert [line["content"] for line in lines if line["role"] == "user"] == texts
    said = [block for line in lines if line["role"] == "assistant" for block in line["content"]]
    called = [block["id"] for block in said if block["type"] == "toolCall"]
    assert [line["toolCallId"] for line in lines if line["role"] == "toolResult"] == called
    assert len(called) > TURNS // 3
    assert len([text for text in told if text != LOOKS]) == TURNS
    assert not [text for text in told if "newest part" in text]
    assert not [request.body for request in server.requests if request.was_refused]
    # The window is used, not only kept: half of it is reserved for the answer.
    assert max(count_prompt(request.body, request.asked) for request in server.requests) > WINDOW // 3
