"""One request and its stream, over pydantic-ai: events as ours, failures as ours, half an answer never taken for whole.

This module imports pydantic-ai; `instar.runners.model` imports it when the first request comes.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any

import httpx2
from pydantic_ai.direct import model_request_stream
from pydantic_ai.exceptions import AgentRunError, UserError
from pydantic_ai.messages import (
    ModelResponse,
    ModelResponseStreamEvent,
    PartDeltaEvent,
    PartEndEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ThinkingPartDelta,
    ToolCallPart,
)
from pydantic_ai.models import Model, ModelRequestParameters
from pydantic_ai.tools import ToolDefinition

from instar.config.sections.models import ProviderSettings
from instar.core.model.entry import UsageCost
from instar.errors import ModelCutOff, ModelRejected
from instar.ports.runner import Finished, ModelRequest, RunnerEvent, TextDelta, ThinkingDelta, ToolCallSeen
from instar.runners.failures import explain_failure
from instar.runners.messages import build_answer, build_history, build_tool_call, build_usage
from instar.runners.pricing import price_usage
from instar.runners.providers import build_model_settings

__all__ = ["exchange"]


async def exchange(
    request: ModelRequest, *, model: Model[Any], provider: ProviderSettings
) -> AsyncGenerator[RunnerEvent, None]:
    """Make the request; deltas as they come, then the whole answer. Raises a `ModelError`.

    Any: the client of the provider's library, which nothing here touches.
    """
    spec = request.model
    history = build_history(request.messages, model=spec, system=request.system)
    parameters = ModelRequestParameters(
        function_tools=[
            ToolDefinition(name=tool.name, description=tool.description, parameters_json_schema=dict(tool.parameters))
            for tool in request.tools
        ]
    )
    try:
        async with model_request_stream(
            model,
            history,
            model_settings=build_model_settings(request),
            model_request_parameters=parameters,
        ) as stream:
            async for event in stream:
                translated = _translate(event)
                if translated is not None:
                    yield translated
            response = stream.get()
    except (AgentRunError, UserError, httpx2.HTTPError) as error:
        raise explain_failure(error, spec=spec, provider=provider, timeout_s=request.timeout_s) from error
    # Outside of the block above the connection is back in its pool, however long a caller keeps the last event.
    yield finish(response, request)


def _translate(event: ModelResponseStreamEvent) -> RunnerEvent | None:
    match event:
        case PartStartEvent(part=TextPart(content=text)) if text:
            return TextDelta(text=text)
        case PartStartEvent(part=ThinkingPart(content=text)) if text:
            return ThinkingDelta(text=text)
        case PartDeltaEvent(delta=TextPartDelta(content_delta=text)) if text:
            return TextDelta(text=text)
        case PartDeltaEvent(delta=ThinkingPartDelta(content_delta=str() as text)) if text:
            return ThinkingDelta(text=text)
        case PartEndEvent(part=ToolCallPart() as part):
            return ToolCallSeen(call=build_tool_call(part))
        case _:
            return None


def finish(response: ModelResponse, request: ModelRequest) -> Finished:
    """The answer with its usage and cost. Raises `ModelCutOff` when the provider never said that it is complete."""
    spec = request.model
    details = response.provider_details or {}
    if not details.get("finish_reason"):
        raise ModelCutOff(
            f"The answer of {spec.ref} broke off",
            why="the connection ended before the provider said that the answer is complete",
            fix="Send the message again.",
            provider=spec.provider,
            model=spec.id,
        )
    usage = build_usage(response)
    cost = price_usage(usage, spec.price)
    told = details.get("cost") if response.usage.cost is None else float(response.usage.cost)
    if isinstance(told, int | float):
        cost = replace(cost or UsageCost(), total=float(told))
    message = build_answer(response, model=spec, usage=replace(usage, cost=cost) if cost else usage)
    if not message.content and response.finish_reason == "content_filter":
        raise ModelRejected(
            f"{spec.ref} gave no answer",
            why="the provider's content filter stopped it",
            fix="Put it in other words, or ask another model.",
            provider=spec.provider,
            model=spec.id,
        )
    return Finished(message=message, cost_usd=cost.total if cost else None)
