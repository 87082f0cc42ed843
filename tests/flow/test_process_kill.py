"""A real process, killed with ``kill -9`` in the middle: nothing is lost, nothing is said twice (LOSS-1 to LOSS-5)."""

import asyncio
import json
import threading

from instar.testing.model_server import ModelServer
from instar.testing.script import Reply
from tests.builders.process import GatewayProcess, build_process_config, wait_until

ANN = "agent:main:telegram:direct:ann"


def echo(asked):
    return Reply(text=f"You said: {asked.last_user_text}")


class Held:
    """A model that answers at once, but stands still in the middle of any answer that is about `word`."""

    def __init__(self, word):
        self.word = word
        self.reached = threading.Event()

    def __call__(self, asked):
        reply = echo(asked)
        is_held = self.word in asked.last_user_text and not self.reached.is_set()
        return Reply(text=reply.text, chunks=8, before_chunk=self.hold) if is_held else reply

    async def hold(self, index):
        if index == 3:
            self.reached.set()
            await asyncio.get_running_loop().create_future()


def test_a_gateway_killed_during_the_fourth_answer_has_all_four_and_answers_it_once(tmp_path):
    held = Held("four")
    with (
        ModelServer(held) as model,
        GatewayProcess(tmp_path, build_process_config(model_url=model.openai_url)) as gateway,
    ):
        for number, word in enumerate(["one", "two", "three"]):
            gateway.post(word, message_id=number)
            assert [message["text"] for message in gateway.take(1)] == [f"You said: {word}"]
        first = gateway.post("four", message_id=3)
        assert held.reached.wait(10)
        gateway.kill()

        gateway.start()
        assert [message["text"] for message in gateway.take(1)] == ["You said: four"]
        assert gateway.post("four", message_id=3).body == first.body
        assert gateway.fetch(wait_s=0.3) == []
        words = ["one", "two", "three", "four"]
        assert gateway.said(ANN) == [
            line for word in words for line in (("user", word), ("assistant", f"You said: {word}"))
        ]
        (mirror,) = (gateway.state_dir / "agents" / "main" / "sessions").glob("*.jsonl")
        wait_until(lambda: len(mirror.read_text().splitlines()) == 9)
        lines = [json.loads(line) for line in mirror.read_text().splitlines()]
        assert [line["message"]["role"] for line in lines[1:]] == ["user", "assistant"] * 4


def test_what_waited_behind_the_answer_is_answered_after_the_kill_in_its_order(tmp_path):
    held = Held("first")
    with ModelServer(held) as model:
        config = build_process_config(
            model_url=model.openai_url, messages={"queue": {"mode": "followup", "debounceMs": 0}}
        )
        with GatewayProcess(tmp_path, config) as gateway:
            gateway.post("first", message_id=1)
            assert held.reached.wait(10)
            for number in (2, 3):
                assert gateway.post(f"more {number}", message_id=number).body["status"] == "accepted"
            gateway.kill()
            gateway.start()
            texts = [message["text"] for message in gateway.take(3)]
            assert texts == ["You said: first", "You said: more 2", "You said: more 3"]
