"""The model of the crash harness: it names every message that it has not answered, so that answers can be counted."""

from __future__ import annotations

from typing import Final
from zlib import crc32

from instar.testing.crash.ledger import find_tokens
from instar.testing.script import Asked, Reply, Spoken, call

__all__ = ["token_script"]

_LOOKS_EVERY: Final = 4
"""One answer in so many looks with a tool first: a kill may then hit a running tool."""


def token_script(asked: Asked) -> Reply:
    """Answers all that was said since its last answer, in pieces, over up to a quarter of a second."""
    new = _since_last_answer(asked)
    tokens = [token for one in new if one.role == "user" for token in find_tokens(one.text)]
    draw = crc32(" ".join(tokens).encode())
    has_looked = any(one.calls for one in new)
    if asked.tools and not has_looked and draw % _LOOKS_EVERY == 0:
        return Reply(calls=(call(asked.tools[0]),), delay_s=0.01)
    text = f"I heard {' '.join(tokens)}. That is all."
    return Reply(text=text, chunks=1 + draw % 6, pause_s=(draw >> 8) % 40 / 1000)


def _since_last_answer(asked: Asked) -> list[Spoken]:
    for at in range(len(asked.spoken) - 1, -1, -1):
        one = asked.spoken[at]
        if one.role == "assistant" and not one.calls:
            return list(asked.spoken[at + 1 :])
    return list(asked.spoken)
