import pytest

from instar.core.lifecycle.group_name import derive_group_name, name_session
from instar.core.model.ids import AgentId, ChannelName, SessionId, SessionKey
from instar.core.model.session import Naming, Origin, Session

SLACK = ChannelName("slack")


@pytest.mark.parametrize(
    ("naming", "group_id", "name"),
    [
        (Naming(space="Acme", group_channel="General Chat"), None, "slack:acme#general-chat"),
        (Naming(space="Acme", group_channel="#general"), None, "slack:acme#general"),
        (Naming(group_channel="#General"), None, "slack:#general"),
        (Naming(group_channel="general", subject="Other"), None, "slack:g-general"),
        (Naming(subject="Trip  to Rome!!"), None, "slack:g-trip-to-rome"),
        (Naming(subject="@ann"), None, "slack:@ann"),
        (Naming(space="Acme"), None, "slack:g-acme"),
        (Naming(subject="!!!"), "C42", "slack:g-c42"),
        (Naming(), "-100123", "slack:g-100123"),
        (Naming(subject="g-men"), None, "slack:g-men"),
    ],
)
def test_a_group_is_named_after_the_best_that_is_known_of_it(naming, group_id, name):
    assert derive_group_name(naming, channel=SLACK, group_id=group_id) == name


def test_a_group_of_which_nothing_is_known_has_no_name():
    assert derive_group_name(Naming(subject="???"), channel=SLACK, group_id=None) is None


@pytest.mark.parametrize(
    ("key", "naming", "origin", "name"),
    [
        ("agent:main:telegram:group:club", Naming(), Origin(), "telegram:g-club"),
        ("agent:main:telegram:group:club", Naming(subject="Book Club"), Origin(), "telegram:g-book-club"),
        ("agent:main:telegram:group:club", Naming(display_name="Ours", subject="Book Club"), Origin(), "Ours"),
        ("agent:main:discord:channel:c1:thread:7", Naming(group_channel="general"), Origin(), "discord:g-general"),
        ("agent:main:telegram:direct:ann", Naming(subject="s"), Origin(), None),
        ("agent:main:telegram:direct:ann", Naming(display_name="Ann"), Origin(), "Ann"),
        ("agent:main:main", Naming(subject="s"), Origin(chat_type="group"), None),
        ("agent:main:main", Naming(), Origin(chat_type="group", channel=SLACK, group_id="C1"), "slack:g-c1"),
    ],
)
def test_lists_call_a_group_by_its_place_unless_somebody_named_it(key, naming, origin, name):
    session = Session(
        key=SessionKey(key), agent_id=AgentId("main"), session_id=SessionId("s"), naming=naming, origin=origin
    )
    assert name_session(session) == name
