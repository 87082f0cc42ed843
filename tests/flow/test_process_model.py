"""A real process and a model server that fails in every way: the person gets a clear sentence, the session goes on."""

import pytest

from instar.testing.model_server import ModelServer
from instar.testing.script import Fault, Reply, echo_script, tool_script
from tests.builders.folder import read_files
from tests.builders.process import GatewayProcess, build_process_config
from tests.builders.stories import then

ANN = "agent:main:telegram:direct:ann"


SECRET = "sk-secret-of-the-provider"


class Changing:
    """A model that answers as it is told at the time."""

    def __init__(self):
        self.script = echo_script

    def __call__(self, asked):
        return self.script(asked)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    script = Changing()
    with ModelServer(script, key=SECRET) as model:
        config = build_process_config(model_url=model.openai_url)
        config["models"]["providers"]["mine"]["apiKey"] = SECRET
        with GatewayProcess(tmp_path_factory.mktemp("gateway"), config) as gateway:
            yield gateway, script


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("auth", "mine refused the key for test"),
        ("quota", "The quota at mine is used up"),
        ("rejected", "mine refused the request for test"),
    ],
)
def test_a_provider_that_fails_gives_a_clear_sentence_and_a_session_that_goes_on(world, kind, says):
    gateway, script = world
    script.script = lambda _: Reply(fault=Fault(kind=kind, text=f"no, {SECRET} is not good"))
    gateway.post(f"first {kind}", message_id=f"1 {kind}")
    (told,) = gateway.take(1)
    assert says in told["text"]
    assert SECRET not in told["text"]
    script.script = echo_script
    gateway.post(f"second {kind}", message_id=f"2 {kind}")
    assert [reply["text"] for reply in gateway.take(1)] == [f"You said: second {kind}"]
    said = [text for role, text in gateway.said(ANN) if role == "user"]
    assert said[-2:] == [f"first {kind}", f"second {kind}"]


def test_a_provider_that_fails_for_a_moment_is_asked_again(world):
    gateway, script = world
    script.script = then(lambda _: Reply(fault=Fault(kind="overloaded")), echo_script)
    gateway.post("patience", message_id="again")
    assert [reply["text"] for reply in gateway.take(1)] == ["You said: patience"]


def test_the_model_looks_with_a_tool_and_each_step_is_stored(world):
    gateway, script = world
    script.script = tool_script
    gateway.post("how are you?", message_id="tool", sender={"id": "tim"})
    texts = [reply["text"] for reply in gateway.take(2)]
    assert texts[0] == "Let me look."
    assert texts[1].startswith("The tool says:")
    assert "agent:main:telegram:direct:tim" in texts[1]
    roles = [role for role, _ in gateway.said("agent:main:telegram:direct:tim")]
    assert roles == ["user", "assistant", "toolResult", "assistant"]


def test_no_secret_of_a_provider_is_written_anywhere(world):
    gateway, script = world
    script.script = echo_script
    gateway.post("who?", message_id="last")
    gateway.take(1)
    for path, content in read_files(gateway.state_dir).items():
        assert SECRET.encode() not in content, path
