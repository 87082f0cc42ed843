"""OpenAI's responses, as served: https://platform.openai.com/docs/api-reference/responses."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Literal

from instar.core.model.entry import ToolCall, Usage
from instar.testing.script import Asked, Fault, Reply, Spoken, split_text
from instar.testing.wire.dialect import Failure, Frame, check_pairs, dump, read_objects
from instar.testing.wire.openai import OpenAICompletions

__all__ = ["OpenAIResponses"]

_ID = "resp_test"

_EMPTY: Mapping[str, Mapping[str, object]] = {
    "reasoning": {"summary": []},
    "message": {"status": "in_progress", "content": []},
    "function_call": {"status": "in_progress", "arguments": ""},
}
"""What an item lacks when it begins."""


class OpenAIResponses:
    """Keeps `instar.testing.wire.dialect.Dialect`. Errors are those of chat completions."""

    def __init__(self) -> None:
        self._chat = OpenAICompletions()

    def parse(self, body: Mapping[str, object]) -> Asked:
        """Items of `input`; calls and their outputs are items of their own."""
        given = body.get("input")
        items = [{"role": "user", "content": given}] if isinstance(given, str) else read_objects(given)
        spoken: list[Spoken] = []
        system = [str(body.get("instructions") or "")]
        for item in items:
            kind = item.get("type", "message")
            if kind == "message" and item.get("role") in {"system", "developer"}:
                system.append(_text(item.get("content")))
            elif kind == "message":
                images = sum(part.get("type") == "input_image" for part in read_objects(item.get("content")))
                role: Literal["assistant", "user"] = "assistant" if item.get("role") == "assistant" else "user"
                spoken.append(Spoken(role=role, text=_text(item.get("content")), images=images))
            elif kind == "function_call":
                _add_call(spoken, item)
            elif kind == "function_call_output":
                call_id = str(item.get("call_id"))
                spoken.append(Spoken(role="tool", text=_text(item.get("output")), call_id=call_id))
        tools = tuple(str(each.get("name")) for each in read_objects(body.get("tools")))
        return Asked(
            model=str(body.get("model", "")),
            system="\n".join(filter(None, system)),
            spoken=tuple(spoken),
            tools=tools,
            is_streamed=bool(body.get("stream")),
        )

    def check(self, body: Mapping[str, object], asked: Asked) -> str | None:
        """Calls without results."""
        return check_pairs(asked.spoken) if body.get("input") else "input must not be empty"

    def stream(
        self,
        reply: Reply,
        asked: Asked,
        body: Mapping[str, object],  # noqa: ARG002 - other formats need it
    ) -> Iterator[Frame]:
        """The response begins, its items one after the other, the response is complete."""
        yield _frame("response.created", response=_response(reply, asked, status="in_progress"))
        for index, item in enumerate(_items(reply)):
            yield _frame("response.output_item.added", output_index=index, item={**item, **_EMPTY[str(item["type"])]})
            yield from _item_frames(index, item, reply)
            yield _frame("response.output_item.done", output_index=index, item=item)
        status = "incomplete" if reply.stop_reason == "length" else "completed"
        yield _frame(f"response.{status}", response=_response(reply, asked, status=status))

    def whole(self, reply: Reply, asked: Asked) -> Mapping[str, object]:
        """A ``response`` object."""
        return _response(reply, asked, status="incomplete" if reply.stop_reason == "length" else "completed")

    def fail(self, fault: Fault, asked: Asked) -> Failure:
        """As chat completions fail."""
        return self._chat.fail(fault, asked)

    def fail_inside(self, fault: Fault, asked: Asked) -> bytes:
        """An ``error`` event."""
        error = self.fail(fault, asked).body["error"]
        told = error if isinstance(error, Mapping) else {}
        code = told.get("code") or told.get("type")
        return _frame("error", code=code, message=told.get("message"), param=None).data


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    kinds = {"input_text", "output_text", "text"}
    return "\n".join(str(part.get("text", "")) for part in read_objects(content) if part.get("type") in kinds)


def _add_call(spoken: list[Spoken], item: Mapping[str, object]) -> None:
    """Calls belong to the assistant's message before them; without one they are a message of their own."""
    arguments = json.loads(str(item.get("arguments") or "{}"))
    made = ToolCall(id=str(item.get("call_id")), name=str(item.get("name")), arguments=arguments)
    if spoken and spoken[-1].role == "assistant":
        spoken[-1] = replace(spoken[-1], calls=(*spoken[-1].calls, made))
    else:
        spoken.append(Spoken(role="assistant", text="", calls=(made,)))


def _items(reply: Reply) -> list[dict[str, object]]:
    items: list[dict[str, object]] = []
    if reply.thinking:
        summary = [{"type": "summary_text", "text": reply.thinking}]
        items.append({"type": "reasoning", "id": "rs_1", "summary": summary, "encrypted_content": "c2VjcmV0"})
    if reply.text:
        part = {"type": "output_text", "text": reply.text, "annotations": []}
        items.append({"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [part]})
    items += [
        {
            "type": "function_call",
            "id": f"fc_{call.id}",
            "call_id": call.id,
            "name": call.name,
            "arguments": dump(dict(call.arguments)),
            "status": "completed",
        }
        for call in reply.calls
    ]
    return items


def _item_frames(index: int, item: Mapping[str, object], reply: Reply) -> Iterator[Frame]:
    place = {"output_index": index, "item_id": item["id"]}
    match item["type"]:
        case "reasoning":
            empty: Mapping[str, object] = {"type": "summary_text", "text": ""}
            yield _frame("response.reasoning_summary_part.added", **place, summary_index=0, part=empty)
            text = reply.thinking
            yield _frame("response.reasoning_summary_text.delta", **place, summary_index=0, delta=text)
            yield _frame("response.reasoning_summary_text.done", **place, summary_index=0, text=text)
        case "message":
            empty = {"type": "output_text", "text": "", "annotations": []}
            yield _frame("response.content_part.added", **place, content_index=0, part=empty)
            for chunk, words in enumerate(split_text(reply.text, reply.chunks)):
                delta = {**place, "content_index": 0, "delta": words, "logprobs": []}
                yield Frame(data=_frame("response.output_text.delta", **delta).data, chunk=chunk)
        case _:
            arguments = str(item["arguments"])
            for words in split_text(arguments, 2):
                yield _frame("response.function_call_arguments.delta", **place, delta=words)
            done = {**place, "name": item["name"], "arguments": arguments}
            yield _frame("response.function_call_arguments.done", **done)


def _response(reply: Reply, asked: Asked, *, status: str) -> dict[str, object]:
    usage = reply.usage or Usage()
    given = usage.input + usage.cache_read + usage.cache_write
    is_begun = status == "in_progress"
    return {
        "id": _ID,
        "object": "response",
        "created_at": 1,
        "model": asked.model,
        "status": status,
        "output": [] if is_begun else _items(reply),
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
        "usage": None
        if is_begun
        else {
            "input_tokens": given,
            "input_tokens_details": {"cached_tokens": usage.cache_read, "cache_write_tokens": usage.cache_write},
            "output_tokens": usage.output,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": given + usage.output,
        },
    }


def _frame(event: str, **fields: object) -> Frame:
    return Frame(data=f"event: {event}\ndata: {dump({'type': event, 'sequence_number': 0, **fields})}\n\n".encode())
