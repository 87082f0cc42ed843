"""Where one message goes, whose it is, and what is told about it (KEY-12, LEAK-4, WHY-1)."""

from __future__ import annotations

import pytest

from instar.core.model.message import Chat, Inbound, Sender
from instar.core.routing.bindings import Binding, build_bindings
from instar.core.routing.identity import IdentityGroup, build_links
from instar.core.routing.key import KeySettings
from instar.core.routing.normalize import KNOWN_CHANNELS
from instar.core.routing.route import RoutingSettings, route

LINKS = build_links(
    (IdentityGroup(name="Alice", ids=("telegram:1",)), IdentityGroup(name="Bob", ids=("telegram:2",), shared=False)),
    known_channels=KNOWN_CHANNELS,
)
ISOLATED = KeySettings(dm_scope="per-channel-peer", links=LINKS)


def message(chat: Chat, *, sender: str = "1", channel: str = "telegram", roles: tuple[str, ...] = ()) -> Inbound:
    return Inbound(
        channel=channel,
        account_id="default",
        message_id="m1",
        chat=chat,
        sender=Sender(id=sender, roles=roles),
        text="hello",
    )


def direct(peer: str, **more: object) -> Inbound:
    return message(Chat(type="direct", id=peer), sender=peer, **more)


def settings(keys: KeySettings = ISOLATED, *bindings: Binding) -> RoutingSettings:
    return RoutingSettings(keys=keys, bindings=build_bindings(bindings, agents=frozenset(), default_agent="main"))


def test_under_main_scope_everybody_shares_a_session_that_belongs_to_no_person():
    found = route(RoutingSettings(keys=KeySettings(links=LINKS)), direct("1"))
    assert (found.session_key, found.session_type, found.owner) == ("agent:main:main", "main", None)
    assert found.person == "alice"


@pytest.mark.parametrize(
    ("peer", "key", "person", "owner"),
    [
        ("1", "agent:main:direct:alice", "alice", "alice"),
        ("2", "agent:main:telegram:direct:2", "bob", "bob"),
        ("3", "agent:main:telegram:direct:3", None, "telegram:3"),
        ("", "agent:main:main", None, None),
    ],
)
def test_an_isolated_session_belongs_to_its_person(peer, key, person, owner):
    found = route(settings(), direct(peer, channel="tg"))
    assert (found.session_key, found.person, found.owner) == (key, person, owner)
    assert found.chat_type == "direct"


def test_nobody_can_own_a_session_by_calling_themselves_so():
    names = {route(settings(), direct(peer, channel="irc")).owner for peer in ("alice", "telegram:3", "Alice")}
    assert names == {"irc:alice", "irc:telegram:3"}


def test_without_links_there_are_no_persons():
    found = route(settings(KeySettings(dm_scope="per-peer")), direct("1"))
    assert (found.session_key, found.person, found.owner) == ("agent:main:direct:1", None, "telegram:1")


def test_a_direct_chat_without_an_id_is_the_senders():
    found = route(settings(), message(Chat(type="direct", id=" "), sender="3"))
    assert found.session_key == "agent:main:telegram:direct:3"


def test_a_group_belongs_to_nobody_even_when_a_linked_person_writes():
    found = route(settings(), message(Chat(type="group", id="-5", thread_id="9"), sender="1"))
    assert found.session_key == "agent:main:telegram:group:-5:topic:9"
    assert (found.parent_key, found.session_type) == ("agent:main:telegram:group:-5", "group")
    assert (found.owner, found.person, found.peer_id) == (None, None, "-5")


def test_a_thread_with_an_id_of_its_own_is_a_thread_of_its_chat():
    chat = Chat(type="channel", id="77", parent_id="7", space_id="G")
    found = route(settings(), message(chat, channel="discord"))
    assert found.session_key == "agent:main:discord:channel:7:thread:77"
    same = Chat(type="channel", id="7", parent_id="7")
    assert route(settings(), message(same, channel="discord")).session_key == "agent:main:discord:channel:7"


def test_a_binding_of_the_parent_chooses_the_agent_of_a_thread():
    binding = Binding(agent_id="work", channel="discord", peer_kind="channel", peer_id="7")
    chat = Chat(type="channel", id="77", parent_id="7", space_id="G")
    found = route(settings(ISOLATED, binding), message(chat, channel="discord"))
    assert (found.agent_id, found.session_key) == ("work", "agent:work:discord:channel:7:thread:77")


def test_a_binding_by_guild_and_role_ignores_case():
    binding = Binding(agent_id="work", channel="discord", guild_id="g", roles=frozenset({"admin"}))
    chat = Chat(type="channel", id="7", space_id=" G ")
    found = route(settings(ISOLATED, binding), message(chat, channel="discord", roles=("Admin",)))
    assert found.agent_id == "work"


def test_the_scopes_of_a_binding_count():
    binding = Binding(agent_id="work", channel="telegram", dm_scope="main", group_scope="main")
    found = settings(ISOLATED, binding)
    assert route(found, direct("3")).session_key == "agent:work:main"
    assert route(found, message(Chat(type="group", id="-5"))).session_key == "agent:work:main"
    assert route(found, message(Chat(type="group", id="-5"))).session_type == "main"


def test_the_decision_tells_key_and_rule_without_the_words_of_the_message():
    (decision,) = route(settings(), direct("1")).decisions
    assert (decision.kind, decision.outcome, decision.rule) == ("route", "agent:main:direct:alice", "LINK-6")
    assert decision.inputs == {
        "agent": "main",
        "channel": "telegram",
        "account": "default",
        "chat": "direct",
        "peer": "1",
        "person": "alice",
    }


def test_a_binding_that_chose_the_agent_is_a_decision_of_its_own():
    found = route(settings(ISOLATED, Binding(agent_id="work", channel="telegram")), direct("3"))
    agent, key = found.decisions
    assert (agent.outcome, agent.rule, agent.inputs["match"]) == ("agent work", "KEY-20", "account")
    assert key.rule == "KEY-2"


def test_a_decision_cuts_long_ids():
    inbound = message(Chat(type="group", id="x" * 10_000, thread_id="y" * 10_000))
    (decision,) = route(settings(), inbound).decisions
    assert all(len(str(value)) <= 80 for value in decision.inputs.values())
