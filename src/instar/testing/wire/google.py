"""Google's ``generateContent``, as served: https://ai.google.dev/api/generate-content.

The model and whether the answer is streamed stand in the path; the server adds them to the body, as `model` and
`stream`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from instar.core.model.entry import ToolCall, Usage
from instar.testing.script import Asked, Fault, FaultKind, Reply, Spoken, split_text
from instar.testing.wire.dialect import Failure, Frame, check_pairs, dump, read_objects

__all__ = ["GoogleGenerate"]

_FINISH: Mapping[str, str] = {"stop": "STOP", "length": "MAX_TOKENS", "toolUse": "STOP"}

_FAULTS: Mapping[FaultKind, tuple[int, str, str]] = {
    "auth": (401, "UNAUTHENTICATED", "API key not valid. Please pass a valid API key."),
    "not_found": (404, "NOT_FOUND", "models/{model} is not found for API version v1beta."),
    "overflow": (
        400,
        "INVALID_ARGUMENT",
        "The input token count (1100000) exceeds the maximum number of tokens allowed (1048576).",
    ),
    "rate_limit": (429, "RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota)."),
    "quota": (429, "RESOURCE_EXHAUSTED", "You exceeded your current quota, please check your plan."),
    "overloaded": (503, "UNAVAILABLE", "The model is overloaded. Please try again later."),
    "server": (500, "INTERNAL", "An internal error has occurred."),
    "rejected": (400, "INVALID_ARGUMENT", "Invalid value."),
}
_UNKNOWN = (500, "INTERNAL", "An internal error has occurred.")


class GoogleGenerate:
    """Keeps `instar.testing.wire.dialect.Dialect`."""

    def parse(self, body: Mapping[str, object]) -> Asked:
        """Contents of the roles `user` and `model`; function responses become messages of their own."""
        spoken = tuple(each for content in read_objects(body.get("contents")) for each in _hear(content))
        declared = [
            tool
            for group in read_objects(body.get("tools"))
            for tool in read_objects(group.get("functionDeclarations"))
        ]
        system = body.get("systemInstruction")
        return Asked(
            model=str(body.get("model", "")),
            system=_text(system) if isinstance(system, Mapping) else "",
            spoken=spoken,
            tools=tuple(str(tool.get("name")) for tool in declared),
            is_streamed=bool(body.get("stream")),
        )

    def check(self, body: Mapping[str, object], asked: Asked) -> str | None:
        """A wrong beginning, and calls without results."""
        contents = read_objects(body.get("contents"))
        if not contents or contents[0].get("role") != "user":
            return "Please ensure that the first content is of the role user."
        return check_pairs(asked.spoken)

    def stream(
        self,
        reply: Reply,
        asked: Asked,
        body: Mapping[str, object],  # noqa: ARG002 - other formats need it
    ) -> Iterator[Frame]:
        """One candidate in pieces; the last piece has the finish reason."""
        if reply.thinking:
            yield self._frame([_thought(reply)], reply, asked)
        for chunk, words in enumerate(split_text(reply.text, reply.chunks)):
            yield self._frame([{"text": words}], reply, asked, chunk=chunk)
        for call in reply.calls:
            yield self._frame([_function_call(call)], reply, asked)
        yield self._frame([], reply, asked, is_last=True)

    def whole(self, reply: Reply, asked: Asked) -> Mapping[str, object]:
        """One ``GenerateContentResponse``."""
        parts: list[Mapping[str, object]] = [_thought(reply)] if reply.thinking else []
        parts += [{"text": reply.text}] if reply.text else []
        parts += [_function_call(call) for call in reply.calls]
        return self._response(parts, reply, asked, is_last=True)

    def fail(self, fault: Fault, asked: Asked) -> Failure:
        """``{error: {code, message, status}}``."""
        status, name, text = _FAULTS.get(fault.kind, _UNKNOWN)
        headers = {} if fault.retry_after_s is None else {"retry-after": f"{fault.retry_after_s:g}"}
        message = fault.text or text.format(model=asked.model)
        error: dict[str, object] = {"code": status, "message": message, "status": name}
        if fault.kind == "quota":
            violations = [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]
            error["details"] = [{"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": violations}]
        return Failure(status=status, body={"error": error}, headers=headers)

    def fail_inside(self, fault: Fault, asked: Asked) -> bytes:
        """An error object in place of a piece."""
        return f"data: {dump(self.fail(fault, asked).body)}\r\n\r\n".encode()

    def _frame(
        self,
        parts: list[Mapping[str, object]],
        reply: Reply,
        asked: Asked,
        *,
        is_last: bool = False,
        chunk: int | None = None,
    ) -> Frame:
        data = dump(self._response(parts, reply, asked, is_last=is_last))
        return Frame(data=f"data: {data}\r\n\r\n".encode(), chunk=chunk)

    def _response(
        self, parts: list[Mapping[str, object]], reply: Reply, asked: Asked, *, is_last: bool
    ) -> dict[str, object]:
        candidate: dict[str, object] = {"content": {"role": "model", "parts": parts}, "index": 0}
        if is_last:
            candidate["finishReason"] = _FINISH[reply.stop_reason]
        usage = reply.usage or Usage()
        given = usage.input + usage.cache_read + usage.cache_write
        return {
            "candidates": [candidate],
            "usageMetadata": {
                "promptTokenCount": given,
                "cachedContentTokenCount": usage.cache_read,
                "candidatesTokenCount": usage.output,
                "totalTokenCount": given + usage.output,
            },
            "modelVersion": asked.model,
            "responseId": "test",
        }


def _thought(reply: Reply) -> Mapping[str, object]:
    return {"text": reply.thinking, "thought": True, "thoughtSignature": "c2lnbmF0dXJl"}


def _function_call(call: ToolCall) -> Mapping[str, object]:
    return {
        "functionCall": {"id": call.id, "name": call.name, "args": dict(call.arguments)},
        "thoughtSignature": "c2lnbmF0dXJl",
    }


def _text(content: Mapping[str, object]) -> str:
    parts = read_objects(content.get("parts"))
    return "\n".join(str(part["text"]) for part in parts if "text" in part and not part.get("thought"))


def _hear(content: Mapping[str, object]) -> list[Spoken]:
    parts = read_objects(content.get("parts"))
    text = _text(content)
    if content.get("role") == "model":
        return [
            Spoken(role="assistant", text=text, calls=tuple(_call(part) for part in parts if "functionCall" in part))
        ]
    results = [_result(part) for part in parts if "functionResponse" in part]
    images = sum("inlineData" in part for part in parts)
    return [*results, Spoken(role="user", text=text, images=images)] if text or images or not results else results


def _call(part: Mapping[str, object]) -> ToolCall:
    made = part["functionCall"]
    told: Mapping[str, object] = made if isinstance(made, Mapping) else {}
    arguments = told.get("args")
    return ToolCall(
        id=str(told.get("id") or told.get("name")),
        name=str(told.get("name")),
        arguments=dict(arguments) if isinstance(arguments, Mapping) else {},
    )


def _result(part: Mapping[str, object]) -> Spoken:
    given = part["functionResponse"]
    told: Mapping[str, object] = given if isinstance(given, Mapping) else {}
    answer = told.get("response")
    response: Mapping[str, object] = answer if isinstance(answer, Mapping) else {}
    text = str(response.get("return_value", response.get("error", dump(dict(response)))))
    return Spoken(role="tool", text=text, call_id=str(told.get("id") or told.get("name")), is_error="error" in response)
