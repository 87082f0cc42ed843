import pytest

from instar.api.rows import build_row, build_view_row, is_unread
from instar.core.model.ids import AgentId, Instant, SessionId, SessionKey, TurnId
from instar.core.model.session import Counters, Lifecycle, Naming, Origin, Overrides, Session
from instar.core.model.view import SessionView


def session(key="agent:main:main", **groups) -> Session:
    return Session(key=SessionKey(key), agent_id=AgentId("main"), session_id=SessionId("s1"), **groups)


def test_tokens_of_the_window_stand_in_for_the_sum_until_they_are_known():
    assert build_row(session(counters=Counters(input_tokens=3, output_tokens=4)))["totalTokens"] == 7
    assert build_row(session(counters=Counters(input_tokens=3, output_tokens=4, total_tokens=5)))["totalTokens"] == 5


@pytest.mark.parametrize(
    ("key", "chat_type", "kind"),
    [
        ("global", None, "global"),
        ("unknown", None, "unknown"),
        ("agent:main:slack:channel:c1", None, "group"),
        ("agent:main:main", "group", "group"),
        ("agent:main:main", None, "direct"),
    ],
)
def test_a_row_says_its_kind(key, chat_type, kind):
    assert build_row(session(key, origin=Origin(chat_type=chat_type)))["kind"] == kind


@pytest.mark.parametrize(
    ("lifecycle", "unread"),
    [
        pytest.param(Lifecycle(last_activity_at=Instant(5)), False, id="never read"),
        pytest.param(Lifecycle(last_activity_at=Instant(5), last_read_at=Instant(4)), True, id="used since"),
        pytest.param(Lifecycle(last_activity_at=Instant(5), last_read_at=Instant(5)), False, id="read since"),
        pytest.param(Lifecycle(marked_unread_at=Instant(1)), True, id="marked"),
    ],
)
def test_what_counts_as_unread(lifecycle, unread):
    assert is_unread(lifecycle) is unread
    assert build_row(session(lifecycle=lifecycle))["unread"] is unread


def test_a_row_shows_settings_names_runs_and_marks():
    row = build_view_row(
        SessionView(
            session=session(
                naming=Naming(label="mine"),
                overrides=Overrides(send_policy="deny", auth_profile_override="work"),
                lifecycle=Lifecycle(archived_at=Instant(1), pinned_at=Instant(2)),
            ),
            active_run_ids=(TurnId("t"),),
            derived_title="Title",
            last_message="Words",
            state_version=3,
        )
    )
    assert (row["label"], row["sendPolicy"], row["derivedTitle"], row["lastMessagePreview"]) == (
        "mine",
        "deny",
        "Title",
        "Words",
    )
    assert (row["archived"], row["pinned"], row["hasActiveRun"], row["stateVersion"]) == (True, True, True, 3)
    assert "authProfileOverride" not in row


def test_a_row_calls_a_group_by_its_place():
    assert build_row(session("agent:main:slack:channel:c1"))["displayName"] == "slack:g-c1"
    assert "displayName" not in build_row(session())
