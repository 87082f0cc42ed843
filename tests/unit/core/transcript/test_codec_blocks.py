"""Blocks survive reading and writing; an unknown one is kept whole."""

import json

import pytest
from hypothesis import given

from instar.core.model.entry import OtherBlock, ToolCall
from instar.core.transcript.codec_blocks import format_block, parse_block
from tests.builders.transcript_strategies import blocks, odd_objects


def exact(value):
    return json.dumps(value, sort_keys=True)


@given(block=blocks)
def test_block_is_read_back_as_it_was_written(block):
    assert parse_block(format_block(block)) == block


@given(raw=blocks.flatmap(lambda block: odd_objects(format_block(block))))
def test_odd_block_is_written_as_it_was_read(raw):
    assert exact(format_block(parse_block(raw))) == exact(raw)


@pytest.mark.parametrize(
    "raw",
    [
        {"type": "text", "text": "a", "more": 1},
        {"type": "toolCall", "id": "c", "name": "read", "arguments": {}},
        {"type": "thinking", "thinking": "hm"},
        {"type": "thinking", "thinking": "hm", "thinkingSignature": "s"},
        {"type": "image", "data": "A", "mimeType": "image/png"},
        {"type": "audio"},
    ],
)
def test_each_kind_of_block_is_written_as_it_was_read(raw):
    assert exact(format_block(parse_block(raw))) == exact(raw)


@pytest.mark.parametrize(
    "raw",
    [
        {"type": "text"},
        {"type": "image", "data": "A"},
        {"type": "image", "mimeType": "A"},
        {"type": "thinking", "thinking": None},
        {"type": "toolCall", "id": "c"},
        {"type": "toolCall", "name": "c"},
        {"type": "audio"},
        {},
    ],
)
def test_unknown_block_or_one_without_its_core_is_kept_whole(raw):
    assert parse_block(raw) == OtherBlock(raw=raw)


def test_tool_call_without_readable_arguments_still_pairs_with_its_result():
    raw = {"type": "toolCall", "id": "c", "name": "read", "arguments": "{broken", "partialJson": "{broken"}

    block = parse_block(raw)

    assert isinstance(block, ToolCall)
    assert (block.id, block.arguments) == ("c", {})
    assert format_block(block) == raw
