"""The runner of a gateway without a model: it says so, says how to set one, and gives the words back (CFG-13).

It shows a person that the whole path works, sessions and all, and never lets them believe that a model answered.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

from instar.core.model.entry import ZERO_USAGE, AnyMessage, AssistantMessage, TextBlock, UserMessage
from instar.ports.runner import Finished, ModelRequest, ModelSpec, RunnerEvent, TextDelta

__all__ = ["ECHO_MODEL", "EchoRunner"]

ECHO_MODEL = ModelSpec(provider="instar", id="echo", api="echo", name="No model (echo)", auth="none")
"""What stands where a model would, when none is set."""

NOTICE = "No model is set, so nobody thought about this; it is only an echo."
NOTICE_UNKNOWN = (
    "The model {wanted} cannot be asked, so nobody thought about this; it is only an echo. `instar doctor` tells why."
)
HOW_TO = (
    "To get answers, set a key such as ANTHROPIC_API_KEY or OPENAI_API_KEY, or name a provider under "
    "models.providers in the configuration (your own server works too), and start the gateway again."
)


class EchoRunner:
    """Keeps `instar.ports.runner.Runner` without asking anybody. The same request gets the same answer.

    `wanted` is the model that the configuration names and that is not there, None where it names none.
    """

    def __init__(self, wanted: str | None = None) -> None:
        is_meant = wanted is None or wanted.lower() == ECHO_MODEL.ref
        self._notice = NOTICE if is_meant else NOTICE_UNKNOWN.format(wanted=wanted)

    @property
    def name(self) -> str:
        """``echo``."""
        return "echo"

    async def run(self, request: ModelRequest) -> AsyncGenerator[RunnerEvent, None]:
        """The notice, the way out and the person's last words, in that order, as one delta each."""
        parts = [self._notice, f"\n\n{HOW_TO}"]
        heard = _last_words(request.messages)
        if heard:
            parts.append(f"\n\nYou wrote: {heard}")
        for part in parts:
            yield TextDelta(text=part)
        message = AssistantMessage(
            content=(TextBlock(text="".join(parts)),),
            api=ECHO_MODEL.api,
            provider=ECHO_MODEL.provider,
            model=ECHO_MODEL.id,
            usage=ZERO_USAGE,
            stop_reason="stop",
            timestamp=None,
        )
        yield Finished(message=message, cost_usd=0.0)

    async def close(self) -> None:
        """Nothing to let go of."""


def _last_words(messages: Sequence[AnyMessage]) -> str:
    """The text of the last message, if a person wrote it; empty if there is none or it holds only pictures."""
    for message in reversed(messages):
        if isinstance(message, UserMessage):
            if message.extra.get("fromPerson") is False:
                return ""
            if isinstance(message.content, str):
                return message.content
            return "\n".join(block.text for block in message.content if isinstance(block, TextBlock))
    return ""
