"""The facts around a message are told to the model and stay out of the words."""

from datetime import UTC, timedelta, timezone

import pytest

from instar.core.context.envelope import Envelope, add_envelope, format_envelope, read_envelope, show_envelope
from instar.core.transcript.codec_messages import format_message, parse_message
from tests.builders.transcripts import image, text, user

AT = 1_773_144_000_000


def test_words_stay_as_written_and_the_facts_stand_beside_them():
    message = add_envelope(user("shall we?", at=AT), Envelope(sender="Ann", at=AT, context="Bob: at six"))

    assert format_message(message) == {
        "role": "user",
        "content": "shall we?",
        "timestamp": AT,
        "envelope": {"sender": "Ann", "at": AT, "context": "Bob: at six"},
    }
    assert read_envelope(parse_message(format_message(message))) == Envelope(sender="Ann", at=AT, context="Bob: at six")


def test_model_sees_context_marker_name_and_time_before_the_words():
    message = add_envelope(user("shall we?"), Envelope(sender="Ann", at=AT, context="Bob: at six"))

    assert show_envelope(message, UTC).content == (
        "Bob: at six\n\n[Current message - respond to this]\n[Ann 2026-03-10 12:00] shall we?"
    )


@pytest.mark.parametrize(
    ("envelope", "prefix"),
    [
        (Envelope(sender="Ann", at=AT), "[Ann 2026-03-10 13:00] "),
        (Envelope(sender="Ann"), "[Ann] "),
        (Envelope(context="Bob: at six"), "Bob: at six\n\n[Current message - respond to this]\n"),
        (Envelope(), ""),
        (Envelope(sender=" \n"), ""),
        (Envelope(sender="Eve] [Ann\n"), "[Eve) (Ann] "),
    ],
)
def test_prefix_has_what_is_known(envelope, prefix):
    assert format_envelope(envelope, timezone(timedelta(hours=1))) == prefix


def test_message_without_facts_is_left_as_it_is():
    message = user("hi")

    assert add_envelope(message, Envelope(at=AT)) is message
    assert show_envelope(message, UTC) is message
    assert read_envelope(message) is None


def test_context_alone_is_kept_without_a_sender():
    message = add_envelope(user("hi"), Envelope(context="c"))

    assert message.extra == {"envelope": {"context": "c"}}


def test_prefix_goes_into_the_first_text_of_a_message_with_blocks():
    message = add_envelope(user([image(), text("look")]), Envelope(sender="Ann"))

    assert show_envelope(message, UTC).content == (image(), text("[Ann] look"))


def test_prefix_stands_alone_before_a_message_without_text():
    message = add_envelope(user([image()]), Envelope(sender="Ann"))

    assert show_envelope(message, UTC).content == (text("[Ann]"), image())


@pytest.mark.parametrize("raw", [{"sender": 5, "at": "now", "context": None}, {}])
def test_odd_facts_count_as_absent(raw):
    assert read_envelope(user("hi", envelope=raw)) == Envelope()


def test_envelope_that_is_no_object_counts_as_none():
    assert read_envelope(user("hi", envelope="Ann")) is None
