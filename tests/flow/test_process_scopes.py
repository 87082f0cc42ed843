"""Over a real bridge named telegram, two people and a group land where each scope says, each message posted thrice."""

import pytest

from tests.builders.process import GatewayProcess, build_process_config

GROUP = {"type": "group", "id": "-100"}
SAID = [
    ("ann", {"type": "direct"}, "from ann"),
    ("bob", {"type": "direct"}, "from bob"),
    ("ann", GROUP, "ann in the group"),
    ("bob", GROUP, "bob in the group"),
]


@pytest.mark.parametrize(
    ("scope", "of_ann", "of_bob"),
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
def test_two_people_and_a_group_land_where_the_scope_says(tmp_path, scope, of_ann, of_bob):
    with GatewayProcess(tmp_path, build_process_config(session={"dmScope": scope})) as gateway:
        for number, (who, chat, text) in enumerate(SAID):
            posts = [
                gateway.post(text, message_id=number, chat=chat, sender={"id": who}, mentioned=True) for _ in range(3)
            ]
            assert posts[0].body == posts[1].body == posts[2].body
            (reply,) = gateway.take(1)
            assert reply["chat"] == {"id": who, **chat}
            assert reply["text"].endswith(text)
        assert gateway.fetch(wait_s=0.2) == []
        with gateway.client() as client:
            rows = client.call("sessions.list", {"limit": 100})["sessions"]
            heard = {
                row["key"]: [
                    message["content"]
                    for message in client.call("chat.history", {"sessionKey": row["key"]})["messages"]
                    if message["role"] == "user"
                ]
                for row in rows
            }
    expected = {"agent:main:telegram:group:-100": ["ann in the group", "bob in the group"]}
    for key, text in ((of_ann, "from ann"), (of_bob, "from bob")):
        expected.setdefault(key, []).append(text)
    assert heard == expected


def test_the_ids_of_one_person_share_a_session_and_each_chat_gets_its_own_answer(tmp_path):
    links = {"alice": ["telegram:ann", "signal:+4917012345"]}
    bridge = build_process_config()["channels"]["telegram"]
    config = build_process_config(
        session={"dmScope": "per-channel-peer", "identityLinks": links},
        channels={"telegram": bridge, "signal": bridge},
    )
    with GatewayProcess(tmp_path, config) as gateway:
        gateway.post("by telegram", message_id=1)
        assert gateway.take(1)[0]["chat"]["id"] == "ann"
        gateway.post("by signal", message_id=1, channel="signal", sender={"id": "+49 170 12345"})
        assert gateway.take(1, channel="signal")[0]["chat"]["id"] == "+49 170 12345"
        assert gateway.fetch() == []
        heard = [text for role, text in gateway.said("agent:main:direct:alice") if role == "user"]
        assert heard == ["by telegram", "by signal"]
