"""A runner around another: repeats what may pass, and asks the next model when one cannot answer.

What to do is decided by `instar.core.policy.retry`; here it is carried out, logged, and told to the person.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field, replace
from typing import assert_never

from instar.core.policy.retry import AskNext, GiveUp, Retry, RetrySettings, decide_retry
from instar.errors import ModelError, ModelOverflow
from instar.ports.clock import Clock
from instar.ports.log import Log
from instar.ports.runner import Finished, ModelRequest, ModelSpec, Restarted, Runner, RunnerEvent
from instar.system.log_events import MODEL_FAILED, MODEL_REPLACED, MODEL_RETRIED

__all__ = ["FallbackRunner"]


@dataclass(slots=True, kw_only=True)
class _Attempts:
    """How far one request has come. `is_fresh` until something of an answer was streamed."""

    request: ModelRequest
    started_s: float
    waiting: list[ModelSpec]
    model: ModelSpec
    attempt: int = 0
    is_fresh: bool = True
    failures: list[ModelError] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class FallbackRunner:
    """Keeps `instar.ports.runner.Runner` over `inner`: the models of a request in turn, each with its repetitions."""

    def __init__(self, inner: Runner, *, clock: Clock, log: Log, settings: RetrySettings | None = None) -> None:
        self._inner = inner
        self._clock = clock
        self._log = log
        self._settings = settings or RetrySettings()
        self._resting: dict[str, tuple[float, str]] = {}

    @property
    def name(self) -> str:
        """The name of the runner inside."""
        return self._inner.name

    async def close(self) -> None:
        """Close the runner inside."""
        await self._inner.close()

    async def run(self, request: ModelRequest) -> AsyncGenerator[RunnerEvent, None]:
        """The first answer that any of the models gives; `Restarted` wherever what was streamed counts for nothing."""
        models = self._choose(request)
        state = _Attempts(
            request=request,
            started_s=self._clock.monotonic(),
            model=models.chosen,
            waiting=models.waiting,
            notes=models.notes,
        )
        while True:
            try:
                async with contextlib.aclosing(self._ask(state)) as events:
                    async for event in events:
                        if isinstance(event, Finished):
                            yield replace(event, notes=(*state.notes, *event.notes))
                            return
                        state.is_fresh = False
                        yield event
            except ModelError as error:
                wait_s = self._mend(error, state)
                if not state.is_fresh:
                    state.is_fresh = True
                    yield Restarted(reason=error.what)
                await self._clock.sleep(wait_s)

    async def _ask(self, state: _Attempts) -> AsyncGenerator[RunnerEvent, None]:
        state.attempt += 1
        left_s = state.request.timeout_s - (self._clock.monotonic() - state.started_s)
        asked = state.request.made_for(state.model, timeout_s=max(left_s, 0.001))
        async with contextlib.aclosing(self._inner.run(asked)) as events:
            async for event in events:
                yield event

    def _mend(self, error: ModelError, state: _Attempts) -> float:
        """Turn to what the decision says, after so many seconds; raises when it is to give up."""
        request = state.request
        decision = decide_retry(
            error,
            attempt=state.attempt,
            elapsed_s=self._clock.monotonic() - state.started_s,
            limit_s=request.timeout_s,
            has_next=bool(state.waiting),
            settings=self._settings,
        )
        log = self._log.bind(session_key=request.session_key, turn_id=request.turn_id, model=state.model.ref)
        match decision:
            case Retry(wait_s=wait_s):
                log.warning(MODEL_RETRIED, code=error.code, why=str(error), attempt=state.attempt, wait_s=wait_s)
                return wait_s
            case AskNext():
                state.failures.append(error)
                self._rest(state.model, error)
                stand_in = state.waiting.pop(0)
                log.warning(MODEL_REPLACED, code=error.code, why=str(error), by=stand_in.ref)
                state.notes.append(_note(stand_in, state.model, error.what))
                state.model, state.attempt = stand_in, 0
                return 0.0
            case GiveUp():
                log.warning(MODEL_FAILED, code=error.code, why=str(error), attempt=state.attempt)
                raise _sum_up([*state.failures, error]) from error
            case _:
                assert_never(decision)

    # --- models that rest ---------------------------------------------------------------------------------------------

    def _rest(self, model: ModelSpec, error: ModelError) -> None:
        self._resting[model.ref] = (self._clock.monotonic() + self._settings.rest_s, error.what)

    def _choose(self, request: ModelRequest) -> _Chosen:
        """The first model that does not rest; the first of all when every one of them does.

        Otherwise each request of a turn would begin by failing at the same model again.
        """
        now = self._clock.monotonic()
        self._resting = {ref: rest for ref, rest in self._resting.items() if rest[0] > now}
        models = [request.model, *request.fallbacks]
        at = next((index for index, model in enumerate(models) if model.ref not in self._resting), 0)
        notes = [_note(models[at], model, self._resting[model.ref][1]) for model in models[:at]]
        return _Chosen(chosen=models[at], waiting=models[at + 1 :], notes=notes)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chosen:
    """The model to begin with, those after it, and why it is not the first."""

    chosen: ModelSpec
    waiting: list[ModelSpec]
    notes: list[str]


def _note(stand_in: ModelSpec, model: ModelSpec, why: str) -> str:
    return f"{stand_in.ref} answers instead of {model.ref}: {why.rstrip('.')}."


def _sum_up(failures: list[ModelError]) -> ModelError:
    """One error for all of them: that of the first model, with what became of the others.

    An overflow stays itself: whoever asked can compact and ask again.
    """
    first, last = failures[0], failures[-1]
    if len(failures) == 1 or isinstance(last, ModelOverflow):
        return last
    told = "; ".join(f"{each.provider}/{each.model}: {each.what.rstrip('.')}" for each in failures)
    return type(first)(
        f"None of the {len(failures)} models could answer",
        why=told,
        fix=first.fix,
        provider=first.provider,
        model=first.model,
        retry_after_ms=first.retry_after_ms,
        lasting=first.lasting,
    )
