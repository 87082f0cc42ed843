"""The program behind a bridge that fetches replies and confirms them, and now and then forgets to."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from instar.testing.crash.ledger import Ledger
from instar.testing.crash.web import Unanswered, ask
from instar.testing.simulate.dice import Dice

__all__ = ["Receiver"]

_REST_S: Final = 0.1
_FORGET_PERCENT: Final = 8


class Receiver:
    """Fetches the replies of one bridge."""

    def __init__(self, channel: str, ledger: Ledger, dice: Dice, *, port: int) -> None:
        self._channel = channel
        self._ledger = ledger
        self._dice = dice
        self._port = port

    async def run(self) -> None:
        """Fetch and confirm until cut off."""
        while True:
            try:
                path = f"/channels/{self._channel}/outbound?wait=5&max=20"
                status, answer = await ask(self._port, "GET", path)
            except Unanswered:
                status, answer = 0, {}
            if status not in {0, 200, 503}:
                self._ledger.contradictions.append(f"the replies of {self._channel} were answered {status} {answer}")
            if status != 200:
                await asyncio.sleep(_REST_S)
                continue
            for message in answer["messages"]:  # type: ignore[attr-defined]  # JSON of the gateway: a list
                await self._take(message)

    async def _take(self, message: Mapping[str, Any]) -> None:  # Any: JSON of the gateway
        delivery_id = str(message["deliveryId"])
        self._ledger.hear(delivery_id, chat_id=str(message["chat"]["id"]), text=str(message["text"]))
        if self._dice.chance(_FORGET_PERCENT):
            return
        path = f"/channels/{self._channel}/outbound/{delivery_id}/receipt"
        try:
            status, answer = await ask(self._port, "POST", path, {"status": "sent"})
        except Unanswered:
            return
        if status not in {200, 503}:
            self._ledger.contradictions.append(f"the receipt of {delivery_id} was answered {status} {dict(answer)}")
