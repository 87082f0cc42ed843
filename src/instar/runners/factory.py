"""From settings to the runner of a gateway: real models where there are any, else the echo (CFG-13)."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass

from instar.config.sections.models import ModelsSettings
from instar.core.policy.retry import RetrySettings
from instar.ports.clock import Clock
from instar.ports.log import Log
from instar.ports.runner import ModelRequest, Runner, RunnerEvent
from instar.runners.echo import ECHO_MODEL, EchoRunner
from instar.runners.fallback import FallbackRunner
from instar.runners.model import ModelRunner

__all__ = ["BuiltRunner", "build_runner"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltRunner:
    """The runner, and what to await once the gateway answers its callers: it imports the providers' libraries."""

    runner: Runner
    warm_up: Callable[[], Awaitable[None]]


def build_runner(
    settings: ModelsSettings,
    *,
    clock: Clock,
    log: Log,
    retry: RetrySettings | None = None,
    wanted: str | None = None,
) -> BuiltRunner:
    """The runner for these providers; the echo alone when there is none. `wanted` is the model that is configured."""
    if not settings.providers:
        return BuiltRunner(runner=EchoRunner(wanted), warm_up=_nothing)
    model = ModelRunner(settings)
    runner = _EchoOr(FallbackRunner(model, clock=clock, log=log, settings=retry), EchoRunner(wanted))
    return BuiltRunner(runner=runner, warm_up=model.warm_up)


class _EchoOr:
    """The echo for requests to no model, the runner inside for all others.

    Providers may be set up without a single model: an empty list, on a server of one's own.
    """

    def __init__(self, inner: Runner, echo: EchoRunner) -> None:
        self._inner = inner
        self._echo = echo

    @property
    def name(self) -> str:
        return self._inner.name

    async def run(self, request: ModelRequest) -> AsyncGenerator[RunnerEvent, None]:
        runner = self._echo if request.model.api == ECHO_MODEL.api else self._inner
        async with contextlib.aclosing(runner.run(request)) as events:
            async for event in events:
                yield event

    async def close(self) -> None:
        await self._inner.close()


async def _nothing() -> None:
    """There is nothing to import."""
