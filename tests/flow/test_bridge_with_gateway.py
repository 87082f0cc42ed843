"""Many people on a bridge, with the whole gateway behind it (issue "The bridge channel", LOSS-1, LOSS-5, LEAK-1)."""

import asyncio
import json
from contextlib import asynccontextmanager

import pytest

from instar.app import GatewayOptions, open_app
from tests.builders.asgi import call_asgi
from tests.builders.wire import run_story

TOKEN = "a-token-for-bridges-that-opens-nothing-else"


class Bridge:
    """A program in front of the gateway's bridge, and a way to look at what is stored."""

    def __init__(self, app, name="telegram"):
        self.app = app
        self.channel = app.server._app  # every request passes the server's own routes
        self.name = name

    async def call(self, method, path, body=None, *, token=TOKEN):
        data = b"" if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {token}"}
        return await call_asgi(self.channel, method, f"/channels/{self.name}/{path}", body=data, headers=headers)

    async def post(self, sender, text, *, message_id, chat=None, **more):
        body = {"messageId": message_id, "chat": chat or {"type": "direct"}, "sender": {"id": sender}, "text": text}
        return await self.call("POST", "inbound", {**body, **more})

    async def replies(self, count):
        """So many replies, each confirmed, as (chat id, text)."""
        got = []
        while len(got) < count:
            answer = await self.call("GET", "outbound?wait=10&max=50")
            for message in answer.json()["messages"]:
                got.append((message["chat"]["id"], message["text"]))
                receipt = await self.call("POST", f"outbound/{message['deliveryId']}/receipt", {"status": "sent"})
                assert receipt.json() == {"ok": True}
        return got


@asynccontextmanager
async def open_bridge(tmp_path, **config):
    raw = {
        "gateway": {"allowUnsafe": True},
        "channels": {"telegram": {"type": "bridge", "token": TOKEN, "dmPolicy": "open", "groupPolicy": "open"}},
        **config,
    }
    path = tmp_path / "instar.json5"
    path.write_text(json.dumps(raw))
    env = {"INSTAR_STATE_DIR": str(tmp_path / "state")}
    async with open_app(GatewayOptions(config_path=path, port=0), env=env, home=tmp_path) as app:
        yield Bridge(app)


async def words_by_key(bridge):
    """What people wrote, by session key."""
    sessions = bridge.app.gateway.sessions
    from instar.core.model.query import SessionQuery

    listing = await sessions.list(SessionQuery(limit=None), titles=False, last_messages=False)
    found = {}
    for view in listing.sessions:
        history = await sessions.history(view.session.key, limit=100)
        messages = [stored.entry.message for stored in history.entries]
        found[view.session.key] = [message.content for message in messages if type(message).__name__ == "UserMessage"]
    return found


@pytest.mark.parametrize(
    ("dm_scope", "ann", "bob"),
    [
        ("main", "agent:main:main", "agent:main:main"),
        ("per-peer", "agent:main:direct:ann", "agent:main:direct:bob"),
        ("per-channel-peer", "agent:main:telegram:direct:ann", "agent:main:telegram:direct:bob"),
        (
            "per-account-channel-peer",
            "agent:main:telegram:default:direct:ann",
            "agent:main:telegram:default:direct:bob",
        ),
    ],
)
def test_two_people_and_a_group_each_land_in_their_place_however_often_they_are_posted(tmp_path, dm_scope, ann, bob):
    async def story():
        async with open_bridge(tmp_path, session={"dmScope": dm_scope, "reset": {"notify": False}}) as bridge:
            group = {"type": "group", "id": "g1", "title": "Friends"}
            for _ in range(3):
                answers = [
                    await bridge.post("Ann", "from ann", message_id="a1"),
                    await bridge.post("Bob", "from bob", message_id="b1"),
                    await bridge.post("Ann", "from the group", message_id="g1", chat=group, mentioned=True),
                ]
                assert [answer.json()["status"] for answer in answers] == ["accepted"] * 3
            replies = await bridge.replies(3)
            assert {chat for chat, _ in replies} == {"Ann", "Bob", "g1"}
            for chat, text in replies:
                assert text.endswith({"Ann": "from ann", "Bob": "from bob", "g1": "from the group"}[chat])
            words = await words_by_key(bridge)
            expected = {"agent:main:telegram:group:g1": ["from the group"]}
            for key, text in ((ann, "from ann"), (bob, "from bob")):
                expected.setdefault(key, []).append(text)
            assert {key: sorted(texts) for key, texts in words.items()} == expected

    run_story(story)


def test_a_group_that_did_not_call_the_agent_is_observed_and_not_answered(tmp_path):
    async def story():
        async with open_bridge(tmp_path) as bridge:
            group = {"type": "group", "id": "g1"}
            answer = await bridge.post("Ann", "among ourselves", message_id="m1", chat=group, mentioned=False)
            assert answer.json()["status"] == "observed"
            assert (await bridge.call("GET", "outbound?wait=0.1")).json() == {"messages": []}

    run_story(story)


def test_a_stranger_is_refused_with_a_reason_and_nothing_is_said(tmp_path):
    async def story():
        channels = {"telegram": {"type": "bridge", "token": TOKEN, "dmPolicy": "allowlist", "allowFrom": ["ann"]}}
        async with open_bridge(tmp_path, channels=channels) as bridge:
            refused = (await bridge.post("mallory", "let me in", message_id="m1")).json()
            assert refused["status"] == "refused"
            assert refused["reason"]
            again = (await bridge.post("mallory", "let me in", message_id="m1")).json()
            assert again == refused
            assert (await bridge.post("Ann", "hi", message_id="m2")).json()["status"] == "accepted"

    run_story(story)


def test_an_unconfirmed_reply_is_handed_out_again_after_a_restart(tmp_path):
    async def story():
        async with open_bridge(tmp_path) as bridge:
            await bridge.post("Ann", "hi", message_id="m1")
            (first,) = (await bridge.call("GET", "outbound?wait=10")).json()["messages"]
        async with open_bridge(tmp_path) as bridge:
            (second,) = (await bridge.call("GET", "outbound?wait=10")).json()["messages"]
            assert (second["deliveryId"], second["text"]) == (first["deliveryId"], first["text"])
            assert second["attempt"] == first["attempt"] + 1
            assert (await bridge.post("Ann", "hi", message_id="m1")).json()["status"] == "accepted"
            await bridge.call("POST", f"outbound/{second['deliveryId']}/receipt", {"status": "sent"})
            assert (await bridge.call("GET", "outbound")).json() == {"messages": []}

    run_story(story)


@pytest.mark.parametrize(
    "hostile", ["../../etc/passwd", "a:direct:b", "x" * 500, "\u202eevil", "a\u0000b", "agent:main:main"]
)
def test_hostile_ids_stay_in_a_place_of_their_own(tmp_path, hostile):
    async def story():
        async with open_bridge(tmp_path, session={"dmScope": "per-channel-peer"}) as bridge:
            answer = await bridge.post(hostile, "hi", message_id=hostile)
            assert answer.status == 200, answer
            ((chat, _),) = await bridge.replies(1)
            assert chat == hostile
            (key,) = await words_by_key(bridge)
            assert key.startswith("agent:main:telegram:direct:")
            assert key != "agent:main:main"

    run_story(story)


def test_another_channel_of_the_same_gateway_has_a_token_and_replies_of_its_own(tmp_path):
    async def story():
        channels = {
            name: {"type": "bridge", "token": f"{TOKEN}-{name}", "dmPolicy": "open"} for name in ("telegram", "sms")
        }
        async with open_bridge(tmp_path, channels=channels) as telegram:
            sms = Bridge(telegram.app, "sms")
            wrong = await sms.call("GET", "outbound", token=f"{TOKEN}-telegram")
            assert wrong.status == 401
            body = {"messageId": "m1", "chat": {"type": "direct"}, "sender": {"id": "ann"}, "text": "hi"}
            await telegram.call("POST", "inbound", body, token=f"{TOKEN}-telegram")
            answer = await telegram.call("GET", "outbound?wait=10", token=f"{TOKEN}-telegram")
            (reply,) = answer.json()["messages"]
            other = await sms.call("GET", "outbound", token=f"{TOKEN}-sms")
            assert other.json() == {"messages": []}
            path = f"outbound/{reply['deliveryId']}/receipt"
            assert (await sms.call("POST", path, {"status": "sent"}, token=f"{TOKEN}-sms")).status == 404

    run_story(story)


def test_posts_of_many_people_at_once_are_all_stored(tmp_path):
    async def story():
        async with open_bridge(tmp_path, session={"dmScope": "per-channel-peer"}) as bridge:
            people = [f"person{number}" for number in range(40)]
            answers = await asyncio.gather(*(bridge.post(one, f"I am {one}", message_id=one) for one in people))
            assert {answer.json()["status"] for answer in answers} == {"accepted"}
            assert {chat for chat, _ in await bridge.replies(40)} == set(people)
            words = await words_by_key(bridge)
            assert sorted(text for texts in words.values() for text in texts) == sorted(f"I am {one}" for one in people)

    run_story(story)


@pytest.mark.parametrize("path", ["USER.md", "agents.md", "memory/2026-11-21.md"])
def test_nobody_exports_their_words_to_where_every_session_is_told_of_them(tmp_path, path):
    async def story():
        async with open_bridge(
            tmp_path, session={"dmScope": "per-peer"}, commands={"ownerAllowFrom": ["ann"]}
        ) as bridge:
            await bridge.post("ann", "ann's secret", message_id="1")
            await bridge.replies(1)
            await bridge.post("ann", f"/export {path}", message_id="2")
            ((_, told),) = await bridge.replies(1)
            assert told.startswith(f"The session cannot be written to {path}")
            assert not [file for file in (tmp_path / "state").rglob("*.md") if "secret" in file.read_text()]

    run_story(story)
