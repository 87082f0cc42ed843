"""Can any key begin so? (SEND-6, SEND-7, WHY-5)"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.core.routing.key import KeySettings, build_source_key, derive_session_key, strip_agent
from instar.core.routing.normalize import KNOWN_CHANNELS
from instar.core.routing.prefix import find_prefix_fault


def fault(prefix: str, *, whole: bool = False, agents: tuple[str, ...] = ("main", "work")) -> str | None:
    return find_prefix_fault(prefix, is_whole=whole, known_channels=KNOWN_CHANNELS, agents=frozenset(agents))


@pytest.mark.parametrize(
    "prefix",
    [
        "",
        "ag",
        "agent:",
        "agent:wo",
        "agent:work:",
        "agent:main:cron:",
        "cron:",
        "cro",
        "main",
        "direct:",
        "Telegram:",
        "telegram:gr",
        "telegram:group:-100",
        "telegram:biz:direct:",
        "node-",
        "node-ios",
        "incognito-",
        "global",
        "telegram:group:dm:x",
    ],
)
def test_a_prefix_that_a_key_can_have_is_without_fault(prefix):
    assert fault(prefix) is None


@pytest.mark.parametrize(
    ("prefix", "why"),
    [
        ("agent:ghost:", "no agent"),
        ("agent:gh", "no agent"),
        ("agent:main::x", "no empty parts"),
        (":x", "no empty parts"),
        ("node:ios", '"node-"'),
        ("dm:", '"direct"'),
        ("room:x", 'the channel stands before "channel"'),
        ("group:x", 'the channel stands before "group"'),
        ("telegram:dm:", 'write "direct"'),
        ("slack:room:c", 'write "channel"'),
        ("telegram:biz:dm:", 'write "direct"'),
        ("tg:group:", 'write "telegram"'),
        ("pigeon:", 'no channel "pigeon"'),
        ("zebra", 'begins with "zebra"'),
    ],
)
def test_a_prefix_that_no_key_can_have_is_told_why(prefix, why):
    assert why in (fault(prefix) or "")


def test_a_whole_key_begins_with_its_agent():
    assert fault("cron:", whole=True) == 'whole keys begin with "agent:"'
    assert fault("agent:main:cron:", whole=True) is None
    assert fault("glob", whole=True) is None


def test_without_a_list_every_agent_counts():
    assert fault("agent:ghost:", agents=()) is None


@given(
    st.sampled_from(["telegram", "whatsapp", "matrix"]),
    st.sampled_from(["direct", "group", "channel"]),
    st.text(alphabet="abc:dm room", max_size=6),
    st.sampled_from(["main", "per-peer", "per-channel-peer", "per-account-channel-peer"]),
    st.integers(min_value=0, max_value=60),
)
def test_no_beginning_of_a_real_key_is_faulted(channel, kind, peer_id, dm_scope, length):
    settings = KeySettings(dm_scope=dm_scope)
    chat = derive_session_key(settings, agent_id="main", channel=channel, kind=kind, peer_id=peer_id, account_id="biz")
    for key in (chat, strip_agent(chat), build_source_key("work", "hook", "x"), "global"):
        assert fault(key[:length]) is None
