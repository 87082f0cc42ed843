from instar.channels.bridge.render import render_acknowledgement, render_outbound
from instar.core.model.change import Acknowledgement
from instar.core.model.ids import AccountId, ChannelName, DeliveryId, InboundId, SessionKey
from instar.core.model.message import Outbound, Target


def target(**changes) -> Target:
    facts = {"channel": ChannelName("b"), "account_id": AccountId("default"), "to": "42", "chat_type": "direct"}
    return Target(**{**facts, **changes})


def test_a_reply_names_its_chat_in_the_shape_in_which_messages_are_posted():
    outbound = Outbound(
        delivery_id=DeliveryId("d1"), target=target(thread_id="7", reply_to_id="m1"), text="hi", attempt=2
    )
    assert render_outbound([outbound]) == {
        "messages": [
            {
                "deliveryId": "d1",
                "accountId": "default",
                "chat": {"type": "direct", "id": "42", "threadId": "7"},
                "replyToId": "m1",
                "text": "hi",
                "attempt": 2,
            }
        ]
    }


def test_what_a_chat_does_not_have_is_left_out():
    (message,) = render_outbound([Outbound(delivery_id=DeliveryId("d1"), target=target(), text="hi")])["messages"]
    assert message["chat"] == {"type": "direct", "id": "42"}
    assert "replyToId" not in message


def test_an_answer_does_not_say_whether_it_was_given_before():
    first = Acknowledgement(inbound_id=InboundId("i"), status="accepted", session_key=SessionKey("k"))
    again = Acknowledgement(inbound_id=InboundId("i"), status="accepted", session_key=SessionKey("k"), repeated=True)
    assert render_acknowledgement(first) == render_acknowledgement(again) == {"inboundId": "i", "status": "accepted"}


def test_a_refusal_tells_its_reason_and_no_session():
    refused = Acknowledgement(
        inbound_id=InboundId("i"), status="refused", session_key=SessionKey("k"), reason="not_paired"
    )
    assert render_acknowledgement(refused) == {"inboundId": "i", "status": "refused", "reason": "not_paired"}
