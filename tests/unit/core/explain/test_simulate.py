"""What would be different under another configuration (WHY-4)."""

from __future__ import annotations

from instar.core.explain.replay import replay_traffic
from instar.core.explain.simulate import (
    ContextSize,
    Merge,
    ResetChange,
    Side,
    Silence,
    Split,
    compare_replays,
    simulate_change,
)
from instar.core.lifecycle.reset import ResetRule, ResetSettings
from instar.core.model.ids import ChannelName, SessionKey
from instar.core.policy.send import SendMatch, SendPolicy, SendRule
from tests.builders.traffic import DAY, HOUR, UTC, Rules, group, record, scoped


def simulate(traffic, before, after):
    return simulate_change(traffic, before, after, zone=UTC)


TWO_PEOPLE = [record(0, "ann"), record(HOUR, "bob"), record(2 * HOUR, "ann")]


def test_the_same_configuration_changes_nothing():
    report = simulate(TWO_PEOPLE, scoped("main"), scoped("main"))
    assert report.changes_nothing
    assert report.before == Side(
        sessions=1,
        turns=3,
        fates={"answered": 3},
        beginnings={"first": 1},
        context=ContextSize(mean_tokens=20, max_tokens=30),
    )


def test_isolating_people_splits_the_main_session():
    report = simulate(TWO_PEOPLE, scoped("main"), scoped("per-peer"))
    assert report.splits == (
        Split(key=SessionKey("agent:main:main"), into=("agent:main:direct:ann", "agent:main:direct:bob")),
    )
    assert (report.merges, report.after.sessions, report.changes_nothing) == ((), 2, False)


def test_sharing_the_main_session_merges_people_and_says_whose_words_meet():
    report = simulate(TWO_PEOPLE, scoped("per-peer"), scoped("main"))
    assert report.merges == (
        Merge(
            key=SessionKey("agent:main:main"),
            sources=("agent:main:direct:ann", "agent:main:direct:bob"),
            people=("telegram:ann", "telegram:bob"),
        ),
    )
    assert report.merges[0].mixes_people
    assert report.after.context.max_tokens == 30


def test_another_spelling_of_keys_only_renames():
    report = simulate([record()], scoped("per-peer"), scoped("per-channel-peer"))
    assert (report.renamed, report.merges, report.splits, report.changes_nothing) == (1, (), (), False)


def test_sessions_of_one_person_merge_without_mixing_people():
    traffic = [record(), record(HOUR, channel=ChannelName("irc"), session_key=SessionKey("agent:main:x"))]
    moved = [record(), record(HOUR)]
    report = compare_replays(replay_traffic(traffic, Rules(), zone=UTC), replay_traffic(moved, Rules(), zone=UTC))
    assert not report.merges[0].mixes_people


def test_more_and_fewer_resets_are_told_by_session():
    traffic = [record(0), record(3 * HOUR), record(DAY)]
    idle = Rules(reset=ResetSettings(base=ResetRule(mode="idle", idle_s=7200)))
    report = simulate(traffic, Rules(), idle)
    assert report.resets == (ResetChange(key=SessionKey("agent:main:main"), before=1, after=2),)
    assert report.after.beginnings == {"first": 1, "idle": 2}


def test_who_falls_silent_is_told_with_the_reason():
    traffic = [record(), group(HOUR), group(2 * HOUR, is_addressed=True), record(3 * HOUR)]
    strict = Rules(dm_policy="allowlist", group_mode="command", send=SendPolicy(rules=(SendRule(action="deny"),)))
    report = simulate(traffic, Rules(group_mode="always"), strict)
    assert report.silences == (
        Silence(key=SessionKey("agent:main:main"), messages=2, reason="not_allowlisted"),
        Silence(key=SessionKey("agent:main:telegram:group:-1"), messages=2, reason="activation_command"),
    )
    back = simulate(traffic, strict, Rules(group_mode="always"))
    assert (back.voices, back.silences) == (report.silences, ())


def test_a_denied_session_falls_silent_though_its_turns_run():
    muted = Rules(send=SendPolicy(rules=(SendRule(action="deny", match=SendMatch(channel="telegram")),)))
    report = simulate([record()], Rules(), muted)
    assert report.silences == (Silence(key=SessionKey("agent:main:main"), messages=1, reason="send_denied"),)
    assert report.after.turns == 1


def test_no_traffic_is_a_report_too():
    report = simulate([], Rules(), scoped("per-peer"))
    assert (report.messages, report.changes_nothing, report.before.context) == (0, True, ContextSize())
