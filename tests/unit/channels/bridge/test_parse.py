import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.channels.bridge.parse import parse_inbound, parse_json, parse_number, parse_receipt
from instar.core.model.ids import ChannelName
from instar.errors import InvalidRequest

BRIDGE = ChannelName("telegram")
BODY = {"messageId": "m1", "chat": {"type": "direct"}, "sender": {"id": "42", "name": "Ann"}, "text": "hello"}
GROUP = {"type": "group", "id": "g1"}


def parse(**changes):
    body = {name: value for name, value in {**BODY, **changes}.items() if value is not ...}
    return parse_inbound(body, channel=BRIDGE)


def refusal(**changes) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        parse(**changes)
    return caught.value


def test_the_least_that_a_bridge_says_is_enough():
    inbound = parse()
    assert (inbound.channel, inbound.account_id, inbound.message_id, inbound.text) == (
        "telegram",
        "default",
        "m1",
        "hello",
    )
    assert (inbound.chat.type, inbound.chat.id) == ("direct", "42")
    assert (inbound.sender.id, inbound.sender.name) == ("42", "Ann")
    assert (inbound.mentioned, inbound.at, inbound.reply_to_id, inbound.attachments) == (None, None, None, ())


def test_everything_that_a_bridge_may_say_is_kept_in_its_own_spelling():
    inbound = parse(
        accountId="Work",
        chat={"type": "channel", "id": "C1", "threadId": "T9", "title": "General"},
        mentioned=True,
        mentionsOthers=True,
        replyToId="m0",
        at=1_773_144_000_000,
        attachments=[{"name": "a.png", "mimeType": "image/png", "dataBase64": "AAAA"}],
    )
    assert inbound.account_id == "Work"
    assert (inbound.chat.type, inbound.chat.id, inbound.chat.thread_id, inbound.chat.title) == (
        "channel",
        "C1",
        "T9",
        "General",
    )
    assert (inbound.mentioned, inbound.mentions_others) == (True, True)
    assert (inbound.reply_to_id, inbound.at) == ("m0", 1_773_144_000_000)
    assert (inbound.attachments[0].name, inbound.attachments[0].data_base64) == ("a.png", "AAAA")


@pytest.mark.parametrize(("word", "kind"), [("dm", "direct"), ("room", "channel")])
def test_older_words_for_a_chat_are_taken(word: str, kind: str):
    assert parse(chat={"type": word, "id": "C1"}).chat.type == kind


def test_ids_may_be_whole_numbers_as_many_platforms_have_them():
    inbound = parse(messageId=7, chat={"type": "group", "id": -1001}, sender={"id": 42})
    assert (inbound.message_id, inbound.chat.id, inbound.sender.id) == ("7", "-1001", "42")


def test_null_says_the_same_as_nothing():
    assert (
        parse(accountId=None, mentioned=None, mentionsOthers=None, replyToId=None, at=None, attachments=None) == parse()
    )


@pytest.mark.parametrize(
    ("changes", "says", "field"),
    [
        ({"messageId": ...}, "must have required property 'messageId'", "messageId"),
        ({"messageId": ""}, "at /messageId: must NOT have fewer than 1 characters", "messageId"),
        ({"messageId": "x" * 513}, "at /messageId: must NOT have more than 512 characters", "messageId"),
        ({"messageId": True}, "at /messageId: must be string or integer", "messageId"),
        ({"chat": ...}, "must have required property 'chat'", "chat"),
        ({"chat": "direct"}, "at /chat: must be object", "chat"),
        ({"chat": {"type": "people"}}, "at /chat/type: must be equal to one of the allowed values", "chat.type"),
        ({"chat": {"type": "group"}}, "at /chat: must have required property 'id'", "chat.id"),
        ({"chat": {"type": "channel", "id": " "}}, "at /chat: must have required property 'id'", "chat.id"),
        (
            {"chat": {**GROUP, "sessionKey": "agent:main:main"}},
            "at /chat: unexpected property 'sessionKey'",
            "chat.sessionKey",
        ),
        ({"sender": ...}, "must have required property 'sender'", "sender"),
        ({"sender": {"name": "Ann"}}, "at /sender: must have required property 'id'", "sender.id"),
        ({"sender": {"id": " "}}, "at /sender/id: must NOT have fewer than 1 characters", "sender.id"),
        ({"text": ...}, "must have required property 'text'", "text"),
        ({"text": 5}, "at /text: must be string", "text"),
        ({"text": " \n"}, "at /text: must NOT be blank without attachments", "text"),
        ({"text": "ü" * 600_000}, "at /text: must NOT have more than 1048576 bytes", "text"),
        ({"mentionsOthers": 1}, "at /mentionsOthers: must be boolean or null", "mentionsOthers"),
        ({"mentioned": "yes"}, "at /mentioned: must be boolean or null", "mentioned"),
        ({"at": "now"}, "at /at: must be integer or null", "at"),
        ({"at": -1}, "at /at: must be >= 0", "at"),
        ({"sessionKey": "agent:main:main"}, "at root: unexpected property 'sessionKey'", "sessionKey"),
        ({"attachments": [{}]}, "at /attachments/0: must have required property 'name'", "attachments.0.name"),
        (
            {"attachments": [{"name": "a", "mimeType": "b", "dataBase64": "not base64"}]},
            "at /attachments/0/dataBase64: must be base64",
            "attachments.0.dataBase64",
        ),
        (
            {
                "attachments": [
                    {"name": "a", "mimeType": "b", "dataBase64": base64.b64encode(bytes(5 * 1024 * 1024 + 1)).decode()}
                ]
            },
            "must NOT have more than 5242880 bytes decoded",
            "attachments.0.dataBase64",
        ),
    ],
)
def test_a_refusal_names_the_field(changes, says, field):
    error = refusal(**changes)
    assert says in error.what
    assert error.field == field


def test_a_picture_needs_no_words():
    picture = [{"name": "a.png", "mimeType": "image/png", "dataBase64": base64.b64encode(b"png").decode()}]
    assert parse(text="", attachments=picture).text == ""


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'"x"', b"\xff\xfe", b"[" * 100_000, b'{"a":' * 5000 + b"1" + b"}" * 5000]
)
def test_a_body_that_is_no_object_is_refused(body):
    with pytest.raises(InvalidRequest) as caught:
        parse_json(body)
    assert caught.value.field == "body"


@given(
    st.dictionaries(st.sampled_from([*BODY, "at", "x"]), st.none() | st.integers() | st.text() | st.lists(st.none()))
)
def test_any_object_is_a_message_or_refused(body):
    try:
        inbound = parse_inbound(body, channel=BRIDGE)
    except InvalidRequest as error:
        assert error.field is not None  # noqa: PT017  # either way is a good answer
    else:
        assert inbound.chat.id


def test_a_receipt_says_sent_or_failed():
    assert parse_receipt({"status": "sent", "platformId": 99}).platform_id == "99"
    failed = parse_receipt({"status": "failed", "reason": "blocked"})
    assert (failed.status, failed.reason) == ("failed", "blocked")
    with pytest.raises(InvalidRequest, match="at /status"):
        parse_receipt({"status": "lost"})


@pytest.mark.parametrize(
    ("text", "value"), [(None, 1.0), ("", 1.0), ("0", 0.0), ("2.5", 2.5), ("600", 60.0), ("inf", 60.0)]
)
def test_a_number_of_a_query_has_a_default_and_is_lowered(text, value):
    assert parse_number(text, name="wait", default=1.0, least=0.0, most=60.0) == value


@pytest.mark.parametrize("text", ["-1", "x", "nan", "1e", "\ud800"])
def test_a_number_that_is_none_is_refused_by_name(text):
    with pytest.raises(InvalidRequest) as caught:
        parse_number(text, name="wait", default=1.0, least=0.0, most=60.0)
    assert caught.value.field == "wait"
