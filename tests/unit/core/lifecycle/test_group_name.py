import pytest

from instar.core.lifecycle.group_name import derive_group_name
from instar.core.model.ids import ChannelName
from instar.core.model.session import Naming

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
