from instar.api.streams import RUNS_MAX, RunStreams
from instar.core.model.entry import AssistantMessage, TextBlock, Usage
from instar.core.model.event import AssistantDelta, RunEnded, RunNote, RunStarted, SessionChanged, ToolStarted
from instar.core.model.ids import AgentId, Instant, SessionId, SessionKey, TurnId


def names(run="r"):
    return {"session_key": SessionKey("agent:main:main"), "agent_id": AgentId("main"), "turn_id": TurnId(run)}


def say(streams, text, *, now, run="r"):
    outs = streams.apply(AssistantDelta(**names(run), text=text, delta="", at=Instant(1)), now=now)
    return [out.payload for out in outs if out.event == "chat" and 4 in out.protocols]


def due(streams, now):
    outs = streams.take_due(now=now, at=Instant(1))
    return [out.payload for out in outs if out.event == "chat" and 4 in out.protocols]


def end(streams, **changes):
    facts = {"session_id": SessionId("s"), "state": "final", "at": Instant(9), "started_at": Instant(1), **changes}
    return streams.apply(RunEnded(**names(), **facts), now=9.0)


def answer(text):
    return AssistantMessage(
        content=(TextBlock(text=text),),
        api="",
        provider="",
        model="",
        usage=Usage(),
        stop_reason="stop",
        timestamp=None,
    )


def test_the_first_words_are_told_at_once_and_the_next_when_their_time_has_come():
    streams = RunStreams(interval_s=0.15)
    assert [payload["deltaText"] for payload in say(streams, "One", now=0.0)] == ["One"]
    assert say(streams, "One two", now=0.05) == []
    assert say(streams, "One two three", now=0.1) == []
    assert streams.next_due() == 0.15
    assert due(streams, 0.14) == []
    assert [payload["deltaText"] for payload in due(streams, 0.15)] == [" two three"]
    assert streams.next_due() is None
    assert [payload["deltaText"] for payload in say(streams, "One two three four", now=0.4)] == [" four"]


def test_what_may_become_silence_is_kept_until_it_cannot():
    streams = RunStreams(interval_s=0.15)
    for draft in ("N", "NO", "No_", "NO_REPLY", "NO_REPLY.", " **NO_REPLY** because"):
        assert say(streams, draft, now=1.0) == []
    assert streams.next_due() is None
    assert [payload["deltaText"] for payload in say(streams, "Not now", now=2.0)] == ["Not now"]


def test_an_answer_that_starts_over_replaces_what_was_told():
    streams = RunStreams(interval_s=0.15)
    say(streams, "Let me look.", now=0.0)
    say(streams, "Let me look. One moment", now=0.01)
    tool = streams.apply(ToolStarted(**names(), call_id="c", name="t", at=Instant(1)), now=0.02)
    assert [out.payload.get("deltaText") for out in tool if 4 in out.protocols and out.event == "chat"] == [
        " One moment"
    ]
    (payload,) = say(streams, "It is four.", now=1.0)
    assert (payload["deltaText"], payload["replace"]) == ("It is four.", True)


def test_kept_words_of_one_message_are_told_before_the_next_message():
    streams = RunStreams(interval_s=0.15)
    say(streams, "First", now=0.0)
    say(streams, "First part", now=0.01)
    assert [payload["deltaText"] for payload in say(streams, "Second", now=0.02)] == [" part"]
    assert [payload["deltaText"] for payload in due(streams, 0.2)] == ["Second"]


def test_an_end_tells_the_rest_first():
    streams = RunStreams(interval_s=0.15)
    say(streams, "One", now=0.0)
    outs = [out for out in end(streams, message=answer("One two")) if 4 in out.protocols]
    assert [(out.event, out.payload.get("state") or out.payload["stream"]) for out in outs] == [
        ("agent", "assistant"),
        ("agent", "lifecycle"),
        ("chat", "delta"),
        ("chat", "final"),
    ]
    assert streams.next_due() is None


def test_a_stopped_run_shows_how_far_it_came_but_no_half_silence():
    streams = RunStreams(interval_s=0.15)
    say(streams, "Half an", now=0.0)
    assert end(streams, state="aborted")[-1].payload["message"]["content"][0]["text"] == "Half an"
    say(streams, "NO_RE", now=0.0)
    assert "message" not in end(streams, state="aborted")[-1].payload


def test_runs_that_never_end_are_forgotten_at_the_limit():
    streams = RunStreams(interval_s=0.15)
    for number in range(RUNS_MAX + 1):
        streams.apply(RunStarted(**names(f"r{number}"), session_id=SessionId("s"), at=Instant(1)), now=0.0)
    (first,) = streams.apply(RunStarted(**names("r1"), session_id=SessionId("s"), at=Instant(1)), now=0.0)
    (forgotten,) = streams.apply(RunStarted(**names("r0"), session_id=SessionId("s"), at=Instant(1)), now=0.0)
    assert (first.payload["seq"], forgotten.payload["seq"]) == (2, 1)


def test_events_that_are_not_about_a_run_are_none_of_its_business():
    changed = SessionChanged(session_key=SessionKey("k"), agent_id=AgentId("main"), reason="patch", at=Instant(1))
    assert RunStreams(interval_s=0.1).apply(changed, now=0.0) == []


def test_a_line_beside_the_answer_is_a_notice_of_its_run_also_after_its_end():
    streams = RunStreams(interval_s=0.15)
    streams.apply(RunStarted(**names(), session_id=SessionId("s"), at=Instant(1)), now=0.0)
    note = RunNote(**names(), text="(Another model answers.)", at=Instant(2))
    (out,) = streams.apply(note, now=0.0)
    assert (out.event, out.payload["stream"], out.payload["seq"]) == ("agent", "notice", 2)
    assert out.payload["data"] == {"text": "(Another model answers.)"}
    end(streams, message=answer("Hello."))
    (late,) = streams.apply(note, now=10.0)
    assert late.payload["runId"] == "r"
    assert streams.next_due() is None
