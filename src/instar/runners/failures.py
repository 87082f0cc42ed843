"""What went wrong at a provider, as one of our errors, in sentences that a person understands.

Each sentence names the provider and the model. A provider's own words are quoted where they help, cut short, and
never where they may hold a key.
"""

from __future__ import annotations

from typing import TypedDict

import httpx2
from pydantic_ai.exceptions import (
    ModelAPIError,
    ModelAuthenticationError,
    ModelConnectionError,
    ModelContextWindowExceededError,
    ModelHTTPError,
    ModelNotFoundError,
    ModelOverloadedError,
    ModelQuotaExceededError,
    ModelRateLimitError,
    ModelRequestRejectedError,
    ModelRequestTimeout,
    ModelServerError,
    ModelTimeoutError,
    ModelUnavailableError,
)

from instar.config.sections.models import ProviderSettings
from instar.core.context.overflow import is_overflow_text
from instar.core.policy.redaction import build_redactor
from instar.errors import (
    ModelAuthFailed,
    ModelCutOff,
    ModelError,
    ModelNotFound,
    ModelOverflow,
    ModelRateLimited,
    ModelRejected,
    ModelUnavailable,
)
from instar.ports.runner import ModelSpec

__all__ = ["explain_failure"]

QUOTE_MAX_CHARS = 300
"""A provider's words beyond this are a page of HTML or a stack trace, and help nobody."""

OVERFLOW_SIGNS = (
    "exceed_context_size_error",
    "exceeds the available context size",
    "context_length_exceeded",
)
"""How llama.cpp and servers that copy OpenAI's codes say it, beside the words of COMPACT-5."""

LATER = "Send the message again in a moment."


def explain_failure(error: Exception, *, spec: ModelSpec, provider: ProviderSettings, timeout_s: float) -> ModelError:
    """The failure as our error. Its order matters: the library's more telling classes are children of the others."""
    tell = _Teller(error, spec=spec, provider=provider, timeout_s=timeout_s)
    match error:
        case ModelContextWindowExceededError():
            return tell.overflow()
        case _ if tell.says_overflow():
            return tell.overflow()
        case ModelAuthenticationError():
            return tell.auth()
        case ModelNotFoundError():
            return tell.not_found()
        case ModelRateLimitError() | ModelQuotaExceededError():
            return tell.rate_limit(is_quota=isinstance(error, ModelQuotaExceededError))
        case ModelTimeoutError() | ModelRequestTimeout():
            return tell.timeout()
        case ModelConnectionError() | httpx2.TransportError():
            return tell.unreachable()
        case ModelOverloadedError() | ModelUnavailableError() | ModelServerError():
            return tell.failing()
        case ModelRequestRejectedError():
            return tell.rejected()
        case _ if tell.status is not None and tell.status >= 500:
            return tell.failing()
        case ModelAPIError() if tell.status is None and "finish_reason" in str(error):
            return tell.cut_off()
        case _:
            return tell.rejected()


class _Facts(TypedDict):
    """What each of our errors carries beside its words."""

    provider: str
    model: str


class _Teller:
    """Finds the words for one failure."""

    def __init__(self, error: Exception, *, spec: ModelSpec, provider: ProviderSettings, timeout_s: float) -> None:
        self._error = error
        self._spec = spec
        self._provider = provider
        self._timeout_s = timeout_s
        self.status = error.status_code if isinstance(error, ModelHTTPError) else None

    def says_overflow(self) -> bool:
        """Whether the words or the code mean an overflow although the library does not say so (COMPACT-5)."""
        body = self._error.body if isinstance(self._error, ModelAPIError) else ""
        told = f"{self.status or ''} {self._error} {body}"
        return is_overflow_text(told) or any(sign in told for sign in OVERFLOW_SIGNS)

    def overflow(self) -> ModelError:
        return ModelOverflow(
            f"The conversation no longer fits into the window of {self._spec.ref}",
            why=self._quote(),
            fix="Send /compact to shorten it, or /new to start afresh.",
            **self._facts(),
        )

    def auth(self) -> ModelError:
        return ModelAuthFailed(
            f"{self._provider.name} refused the key for {self._spec.id}",
            why=f"it answered {self.status or 'that it is not valid'}",
            fix=f"Check {self._provider.key_source or 'the key'}, then start the gateway again.",
            **self._facts(),
        )

    def not_found(self) -> ModelError:
        hint = "" if self._provider.base_url.rstrip("/").endswith(("/v1", "/api")) else " Does its address end in /v1?"
        return ModelNotFound(
            f'{self._provider.name} has no model "{self._spec.id}"',
            why=self._quote(),
            fix=f"Choose another one with /model, or correct models.providers.{self._provider.name}.{hint}",
            **self._facts(),
        )

    def rate_limit(self, *, is_quota: bool) -> ModelError:
        if is_quota:
            return ModelRateLimited(
                f"The quota at {self._provider.name} is used up",
                why=self._quote(),
                fix="Top it up or wait for the next period; /model switches to another provider meanwhile.",
                lasting=True,
                **self._facts(),
            )
        wait_ms = self._retry_after_ms()
        when = LATER if wait_ms is None else f"Send the message again in {max(1, round(wait_ms / 1000))} seconds."
        return ModelRateLimited(
            f"{self._provider.name} takes no more requests for {self._spec.id} just now",
            why=self._quote(),
            fix=when,
            retry_after_ms=wait_ms,
            **self._facts(),
        )

    def timeout(self) -> ModelError:
        return ModelUnavailable(
            f"{self._spec.ref} did not finish in time",
            why=f"the limit is {self._timeout_s:g} seconds",
            fix="Send the message again, or choose a faster model with /model.",
            **self._facts(),
        )

    def unreachable(self) -> ModelError:
        in_answer = isinstance(self._error, ModelConnectionError) and self._error.phase == "read"
        return ModelUnavailable(
            f"The connection to {self._provider.name} broke"
            if in_answer
            else f"{self._provider.name} cannot be reached",
            why=f"{self._provider.base_url}: {self._quote() or 'no connection'}",
            fix=LATER if in_answer else "Check that it runs and that the address is right.",
            **self._facts(),
        )

    def failing(self) -> ModelError:
        is_overloaded = isinstance(self._error, ModelOverloadedError)
        state = "is overloaded" if is_overloaded else f"failed{f' with {self.status}' if self.status else ''}"
        return ModelUnavailable(
            f"{self._provider.name} {state} while answering with {self._spec.id}",
            why=self._quote(),
            fix=LATER,
            retry_after_ms=self._retry_after_ms(),
            **self._facts(),
        )

    def cut_off(self) -> ModelError:
        return ModelCutOff(
            f"The answer of {self._spec.ref} broke off",
            why="the connection ended before the provider said that the answer is complete",
            fix="Send the message again.",
            **self._facts(),
        )

    def rejected(self) -> ModelError:
        return ModelRejected(
            f"{self._provider.name} refused the request for {self._spec.id}",
            why=self._quote(),
            fix="If this goes on, /new starts afresh, and /model chooses another model.",
            **self._facts(),
        )

    def _facts(self) -> _Facts:
        return {"provider": self._provider.name, "model": self._spec.id}

    def _retry_after_ms(self) -> int | None:
        after = self._error.retry_after if isinstance(self._error, ModelAPIError) else None
        return None if after is None else round(after * 1000)

    def _quote(self) -> str:
        """The provider's own message: on one line, short, without anything that looks like a secret."""
        error = self._error
        told = _find_message(error.body) if isinstance(error, ModelAPIError) else None
        text = " ".join((told or (getattr(error, "message", "") or str(error))).split())
        secrets = (self._provider.api_key or "", *self._provider.headers.values())
        clean = build_redactor(secrets).text(text)
        return clean if len(clean) <= QUOTE_MAX_CHARS else f"{clean[:QUOTE_MAX_CHARS].rstrip()}…"


def _find_message(body: object) -> str | None:
    """The message in an error body: ``{error: {message}}``, ``{message}``, ``{error: "…"}`` or ``{detail}``."""
    if not isinstance(body, dict):
        return body if isinstance(body, str) else None
    for name in ("error", "message", "detail"):
        found = body.get(name)
        if isinstance(found, str) and found:
            return found
        if isinstance(found, dict):
            return _find_message(found)
    return None
