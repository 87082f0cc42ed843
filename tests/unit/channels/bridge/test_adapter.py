import asyncio
import json

import pytest
from structlog.testing import capture_logs

from instar.channels.bridge import adapter
from instar.channels.bridge.adapter import BODY_MAX_BYTES, POLLS_MAX, BridgeChannel, build_bridge
from instar.config.sections.channels import ChannelSettings
from instar.core.model.ids import ChannelName
from instar.errors import ConfigError, StoreFull, Unavailable
from instar.testing.channel_suite import MemoryContext, build_outbound
from tests.builders.asgi import call_asgi
from tests.builders.stories import until

TOKEN = "open sesame"
BODY = {"messageId": "m1", "chat": {"type": "direct"}, "sender": {"id": "42"}, "text": "hello"}


class Bridge:
    """A started bridge, the gateway behind it, and a program in front of it."""

    def __init__(self):
        self.channel = BridgeChannel(ChannelName("telegram"), token=TOKEN)
        self.world = MemoryContext()

    async def call(self, method, path, body=None, *, token=TOKEN, **client):
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return await call_asgi(self.channel.http_app, method, path, body=data, headers=headers, **client)

    async def polls(self, number, **client):
        """So many long polls, each of which has looked once and waits now."""
        polls = [asyncio.ensure_future(self.call("GET", "/outbound?wait=60", **client)) for _ in range(number)]
        await until(lambda: self.channel._polls == number)
        for _ in range(5):
            await asyncio.sleep(0)
        return polls

    def owe(self, number=1, text="hi"):
        self.world.owe(build_outbound(self, number=number, text=text))


def run(story):
    async def started():
        bridge = Bridge()
        await bridge.channel.start(bridge.world.context())
        await asyncio.wait_for(story(bridge), timeout=20)
        await bridge.channel.stop()

    asyncio.run(started())


def test_a_message_is_answered_with_what_was_decided():
    async def story(bridge):
        answer = await bridge.call("POST", "/inbound", BODY)
        assert (answer.status, answer.json()) == (200, {"inboundId": "i1", "status": "accepted"})
        again = await bridge.call("POST", "/inbound", {**BODY, "text": "changed"})
        assert again.body == answer.body
        assert [inbound.text for inbound in bridge.world.accepted] == ["hello"]

    run(story)


@pytest.mark.parametrize("token", [None, "", "open", "open sesame!", "OPEN SESAME"])
@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/inbound"), ("GET", "/outbound"), ("POST", "/outbound/d1/receipt")]
)
def test_without_the_token_nothing_is_read_or_told(token, method, path):
    async def story(bridge):
        bridge.owe()
        answer = await bridge.call(method, path, BODY, token=token)
        assert answer.status == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert bridge.world.accepted == []
        assert len(bridge.world.owed) == 1

    run(story)


def test_another_scheme_is_no_bearer_token():
    async def story(bridge):
        answer = await call_asgi(
            bridge.channel.http_app, "GET", "/outbound", headers={"Authorization": "Basic open sesame"}
        )
        assert answer.status == 401

    run(story)


@pytest.mark.parametrize(
    ("body", "field"),
    [(b"{", "body"), ({**BODY, "text": 5}, "text"), ({**BODY, "chat": {"type": "group"}}, "chat.id")],
)
def test_a_bad_message_is_400_and_names_its_field(body, field):
    async def story(bridge):
        answer = await bridge.call("POST", "/inbound", body)
        assert answer.status == 400
        assert answer.json()["field"] == field
        assert bridge.world.accepted == []

    run(story)


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (StoreFull("Cannot store the message", why="the disk is full"), "2"),
        (Unavailable("The gateway is stopping", retry_after_ms=1500), "2"),
        (Unavailable("Busy", retry_after_ms=5000), "5"),
    ],
)
def test_what_could_not_be_stored_is_503_and_says_when_to_repeat(error, seconds):
    async def story(bridge):
        bridge.world.fail = error
        answer = await bridge.call("POST", "/inbound", BODY)
        assert (answer.status, answer.headers["retry-after"]) == (503, seconds)

    run(story)


def test_a_defect_is_500_and_hides_its_inside_and_is_in_the_log():
    async def story(bridge):
        bridge.world.fail = ZeroDivisionError("secret inside")
        with capture_logs() as lines:
            answer = await bridge.call("POST", "/inbound", BODY)
        assert answer.status == 500
        assert answer.json() == {"error": "internal error; the gateway's log has it"}
        assert [line["event"] for line in lines] == ["bridge_request_failed"]
        bridge.world.fail = None
        assert (await bridge.call("POST", "/inbound", BODY)).status == 200

    run(story)


def test_a_body_without_end_is_refused_before_it_is_all_there():
    async def story(bridge):
        answer = await bridge.call("POST", "/inbound", b" " * (BODY_MAX_BYTES + 1))
        assert answer.status == 413

    run(story)


def test_a_body_that_never_ends_is_given_up(monkeypatch):
    monkeypatch.setattr(adapter, "BODY_WAIT_S", 0.01)

    async def story(bridge):
        answer = await bridge.call("POST", "/inbound", b'{"messageId":', stalls=True)
        assert answer.status == 408
        assert bridge.world.accepted == []

    run(story)


def test_a_reply_stays_until_its_receipt_and_counts_how_often_it_was_handed_out():
    async def story(bridge):
        bridge.owe(1)
        bridge.owe(2)
        first = (await bridge.call("GET", "/outbound")).json()["messages"]
        second = (await bridge.call("GET", "/outbound")).json()["messages"]
        assert [message["deliveryId"] for message in first] == ["d1", "d2"]
        assert [message["attempt"] for message in first] == [1, 1]
        assert [message["attempt"] for message in second] == [2, 2]
        receipt = await bridge.call("POST", "/outbound/d1/receipt", {"status": "failed", "reason": "blocked"})
        assert (receipt.status, receipt.json()) == (200, {"ok": True})
        third = (await bridge.call("GET", "/outbound")).json()["messages"]
        assert [message["deliveryId"] for message in third] == ["d2"]
        assert bridge.world.receipts["d1"].reason == "blocked"

    run(story)


def test_at_most_so_many_are_handed_out():
    async def story(bridge):
        for number in range(5):
            bridge.owe(number)
        assert len((await bridge.call("GET", "/outbound?max=2")).json()["messages"]) == 2

    run(story)


def test_a_receipt_for_what_is_not_owed_is_404():
    async def story(bridge):
        answer = await bridge.call("POST", "/outbound/nobody/receipt", {"status": "sent"})
        assert answer.status == 404
        bad = await bridge.call("POST", "/outbound/nobody/receipt", {"status": "lost"})
        assert (bad.status, bad.json()["field"]) == (400, "status")

    run(story)


@pytest.mark.parametrize("query", ["wait=x", "wait=-1", "max=0", "max=many", "wait=nan"])
def test_a_bad_query_is_400_and_names_its_field(query):
    async def story(bridge):
        answer = await bridge.call("GET", f"/outbound?{query}")
        assert (answer.status, answer.json()["field"]) == (400, query.partition("=")[0])

    run(story)


def test_a_long_poll_is_answered_as_soon_as_there_is_a_reply():
    async def story(bridge):
        (poll,) = await bridge.polls(1)
        assert not poll.done()
        bridge.owe()
        assert [message["deliveryId"] for message in (await poll).json()["messages"]] == ["d1"]

    run(story)


def test_a_long_poll_without_replies_ends_empty():
    async def story(bridge):
        assert (await bridge.call("GET", "/outbound?wait=0.05")).json() == {"messages": []}

    run(story)


def test_a_bridge_that_hung_up_is_handed_nothing():
    async def story(bridge):
        gone = asyncio.Event()
        (poll,) = await bridge.polls(1, hang_up=gone)
        gone.set()
        bridge.owe()
        assert (await poll).json() == {"messages": []}
        assert (await bridge.call("GET", "/outbound")).json()["messages"][0]["attempt"] == 1

    run(story)


def test_stopping_ends_every_long_poll():
    async def story(bridge):
        (poll,) = await bridge.polls(1)
        await bridge.channel.stop()
        assert (await poll).status == 200
        assert (await bridge.call("GET", "/outbound")).status == 503

    run(story)


def test_more_long_polls_than_allowed_are_503():
    async def story(bridge):
        polls = await bridge.polls(POLLS_MAX)
        answer = await bridge.call("GET", "/outbound?wait=60")
        assert answer.status == 503
        await bridge.channel.stop()
        await asyncio.gather(*polls)

    run(story)


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/", 404), ("GET", "/inbound", 405), ("PUT", "/x", 404)]
)
def test_other_paths_and_methods_are_refused_as_json(method, path, status):
    async def story(bridge):
        answer = await bridge.call(method, path)
        assert answer.status == status
        assert "error" in answer.json()

    run(story)


def test_a_bridge_without_a_token_is_not_built():
    with pytest.raises(ConfigError) as caught:
        build_bridge(ChannelSettings(name=ChannelName("b"), type="bridge", path="channels.b"))
    assert caught.value.path == "channels.b.token"
