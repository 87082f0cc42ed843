"""A runner without a provider: a script answers, in this process and at once."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, Mapping

from instar.core.model.entry import (
    AnyMessage,
    AssistantMessage,
    Block,
    ImageBlock,
    TextBlock,
    ThinkingBlock,
    ToolCall,
    ToolResultMessage,
    Usage,
    UserMessage,
)
from instar.errors import (
    InvariantBroken,
    ModelAuthFailed,
    ModelCutOff,
    ModelError,
    ModelNotFound,
    ModelOverflow,
    ModelRateLimited,
    ModelRejected,
    ModelUnavailable,
)
from instar.ports.clock import Clock
from instar.ports.runner import (
    Finished,
    ModelRequest,
    ModelSpec,
    RunnerEvent,
    TextDelta,
    ThinkingDelta,
    ToolCallSeen,
)
from instar.testing.clock import ManualClock
from instar.testing.script import Asked, Fault, FaultKind, Reply, Script, Spoken, echo_script, finish_reply, split_text

__all__ = ["SCRIPTED_MODEL", "ScriptedRunner", "build_asked"]

SCRIPTED_MODEL = ModelSpec(provider="test", id="scripted", api="scripted", context_window=200_000)

_ERRORS: Mapping[FaultKind, type[ModelError]] = {
    "auth": ModelAuthFailed,
    "not_found": ModelNotFound,
    "overflow": ModelOverflow,
    "rate_limit": ModelRateLimited,
    "quota": ModelRateLimited,
    "overloaded": ModelUnavailable,
    "server": ModelUnavailable,
    "rejected": ModelRejected,
    "reset": ModelUnavailable,
    "cut": ModelCutOff,
}


class ScriptedRunner:
    """Keeps `instar.ports.runner.Runner` for tests. `requests` holds what was asked, in order.

    Delays of replies go by `clock`. `running` is how many requests are under way, `cancelled` how many were cut off by
    the caller.
    """

    def __init__(self, script: Script = echo_script, *, clock: Clock | None = None) -> None:
        self.script = script
        self.requests: list[ModelRequest] = []
        self.running = 0
        self.cancelled = 0
        self._clock = clock or ManualClock(auto_advance_s=0)

    @property
    def name(self) -> str:
        """``scripted``."""
        return "scripted"

    async def run(self, request: ModelRequest) -> AsyncGenerator[RunnerEvent, None]:
        """Play the script's reply: deltas, calls, then the whole message; or its fault."""
        self.requests.append(request)
        self.running += 1
        try:
            asked = build_asked(request)
            answer = self.script(asked)
            reply = finish_reply(await answer if inspect.isawaitable(answer) else answer, asked)
            async for event in self._play(reply, request):
                yield event
        except (asyncio.CancelledError, GeneratorExit):
            self.cancelled += 1
            raise
        finally:
            self.running -= 1
        yield Finished(message=_build_message(reply, request.model), cost_usd=_price(reply, request.model))

    async def close(self) -> None:
        """Nothing to let go of."""

    async def _play(self, reply: Reply, request: ModelRequest) -> AsyncGenerator[RunnerEvent, None]:
        fault = reply.fault
        if reply.delay_s:
            await self._clock.sleep(reply.delay_s)
        if fault is not None and fault.after_chunks is None and fault.kind != "cut":
            await _fail(fault, request.model)
        if reply.thinking:
            yield ThinkingDelta(text=reply.thinking)
        for index, part in enumerate(split_text(reply.text, reply.chunks)):
            if reply.before_chunk is not None:
                await reply.before_chunk(index)
            if index and reply.pause_s:
                await self._clock.sleep(reply.pause_s)
            if fault is not None and fault.after_chunks == index:
                await _fail(fault, request.model)
            yield TextDelta(text=part)
        if fault is not None:
            await _fail(fault, request.model)
        for call in reply.calls:
            yield ToolCallSeen(call=call)


async def _fail(fault: Fault, model: ModelSpec) -> None:
    if fault.kind == "hang":
        await asyncio.get_running_loop().create_future()
    raise _ERRORS[fault.kind](
        fault.text or f"The scripted model failed: {fault.kind}",
        provider=model.provider,
        model=model.id,
        lasting=fault.kind == "quota",
        retry_after_ms=None if fault.retry_after_s is None else round(fault.retry_after_s * 1000),
    )


def build_asked(request: ModelRequest) -> Asked:
    """A request as a script sees it."""
    spoken = tuple(each for message in request.messages if (each := _hear(message)) is not None)
    tools = tuple(tool.name for tool in request.tools)
    return Asked(model=request.model.id, system=request.system, spoken=spoken, tools=tools)


def _hear(message: AnyMessage) -> Spoken | None:
    match message:
        case UserMessage(content=str() as text):
            return Spoken(role="user", text=text)
        case UserMessage(content=blocks):
            images = sum(isinstance(block, ImageBlock) for block in blocks)
            return Spoken(role="user", text=_text(blocks), images=images)
        case AssistantMessage(content=blocks):
            calls = tuple(block for block in blocks if isinstance(block, ToolCall))
            return Spoken(role="assistant", text=_text(blocks), calls=calls)
        case ToolResultMessage():
            return Spoken(
                role="tool", text=_text(message.content), call_id=message.tool_call_id, is_error=message.is_error
            )
        case _:
            return None


def _text(blocks: str | tuple[Block, ...]) -> str:
    if isinstance(blocks, str):
        return blocks
    return "\n".join(block.text for block in blocks if isinstance(block, TextBlock))


def _build_message(reply: Reply, model: ModelSpec) -> AssistantMessage:
    blocks: list[Block] = []
    if reply.thinking:
        blocks.append(ThinkingBlock(thinking=reply.thinking, signature=reply.signature))
    if reply.text:
        blocks.append(TextBlock(text=reply.text))
    return AssistantMessage(
        content=(*blocks, *reply.calls),
        api=model.api,
        provider=model.provider,
        model=model.id,
        usage=_usage(reply),
        stop_reason=reply.stop_reason,
        timestamp=None,
    )


def _usage(reply: Reply) -> Usage:
    if reply.usage is None:
        raise InvariantBroken("finish_reply counts the usage of each reply")
    return reply.usage


def _price(reply: Reply, model: ModelSpec) -> float | None:
    usage = _usage(reply)
    if not model.price:
        return None
    parts = (
        (usage.input, "input"),
        (usage.output, "output"),
        (usage.cache_read, "cacheRead"),
        (usage.cache_write, "cacheWrite"),
    )
    return sum(tokens * model.price.get(name, 0.0) for tokens, name in parts) / 1_000_000
