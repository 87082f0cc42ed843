"""A real process, killed with ``kill -9`` in the middle: nothing is lost, nothing is said twice (LOSS-1 to LOSS-5)."""

import json

from instar.testing.model_server import ModelServer
from tests.builders.process import GatewayProcess, HeldModel, build_process_config, wait_until

ANN = "agent:main:telegram:direct:ann"


def test_a_gateway_killed_during_the_fourth_answer_has_all_four_and_answers_it_once(tmp_path):
    held = HeldModel("four")
    with (
        ModelServer(held) as model,
        GatewayProcess(tmp_path, build_process_config(model_url=model.openai_url)) as gateway,
    ):
        for number, word in enumerate(["one", "two", "three"]):
            gateway.post(word, message_id=number)
            assert [message["text"] for message in gateway.take(1)] == [f"You said: {word}"]
        first = gateway.post("four", message_id=3)
        assert held.reached.wait(60)
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
    held = HeldModel("first")
    with ModelServer(held) as model:
        config = build_process_config(
            model_url=model.openai_url, messages={"queue": {"mode": "followup", "debounceMs": 0}}
        )
        with GatewayProcess(tmp_path, config) as gateway:
            gateway.post("first", message_id=1)
            assert held.reached.wait(60)
            for number in (2, 3):
                assert gateway.post(f"more {number}", message_id=number).body["status"] == "accepted"
            gateway.kill()
            gateway.start()
            texts = [message["text"] for message in gateway.take(3)]
            assert texts == ["You said: first", "You said: more 2", "You said: more 3"]


def test_a_gateway_that_is_told_to_stop_ends_well_and_says_so_in_its_log(tmp_path):
    with GatewayProcess(tmp_path, build_process_config()) as gateway:
        gateway.post("hello", message_id=1)
        token = gateway.token
        assert gateway.stop() == 0
        assert not gateway.is_alive()
        log = [
            json.loads(line)["event"] for line in (gateway.state_dir / "logs" / "gateway.log").read_text().splitlines()
        ]
        assert log[0] == "gateway_ready"
        assert log[-1] == "gateway_stopped"
        gateway.start()
        assert gateway.token == token
        assert [reply["text"].endswith("You wrote: hello") for reply in gateway.take(1)] == [True]
