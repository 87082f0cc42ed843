"""Lines that no model wrote are told apart from those that one did."""

from dataclasses import replace

import pytest

from instar.core.model.entry import ZERO_USAGE
from instar.core.transcript.injected import build_injected_message, build_mirror_message, is_model_answer
from tests.builders.transcripts import assistant, text


def test_injected_text_costs_nothing_and_says_how_it_came():
    message = build_injected_message("hello", label=None, at=5)

    assert (message.content, message.usage, message.stop_reason) == ((text("hello"),), ZERO_USAGE, "injected")
    assert message.timestamp == 5


def test_label_stands_in_front_of_injected_text():
    assert build_injected_message("hello", label="note", at=5).content == (text("[note]\n\nhello"),)


def test_mirrored_delivery_carries_the_provider_and_model_of_mirrors():
    message = build_mirror_message("sent", at=5)

    assert (message.provider, message.model, message.usage) == ("openclaw", "delivery-mirror", ZERO_USAGE)
    assert message.content == (text("sent"),)


def test_mirrored_media_without_text_is_named_by_its_files():
    assert build_mirror_message(" ", file_names=["a.png", "b.pdf"], at=5).content == (text("a.png, b.pdf"),)


@pytest.mark.parametrize(
    "message",
    [
        build_injected_message("x", label=None, at=5),
        build_mirror_message("x", at=5),
        replace(assistant("x"), stop_reason="injected"),
        replace(assistant("x"), model=""),
    ],
)
def test_no_model_wrote_it(message):
    assert not is_model_answer(message)


def test_a_model_wrote_it():
    assert is_model_answer(assistant("x"))
