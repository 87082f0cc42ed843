"""Who answered, where the first model could not: told with the first answer of each stand-in, and why (CFG-13)."""

from __future__ import annotations

import re
from typing import Final

from instar.core.model.change import SessionChange
from instar.core.model.entry import AssistantMessage, MessageEntry
from instar.core.model.ids import SessionKey
from instar.testing.simulate.findings import Findings
from instar.testing.simulate.story import Story

__all__ = ["MODELS", "StandIns", "model_why"]

MODELS: Final = ("scripted", "second", "third")
"""The models of a story, in the order in which they are asked."""

_LINE: Final = re.compile(r"sim/(\w+) answers instead of sim/(\w+): ([^.]+)\.")


def model_why(fault: str) -> str:
    """What a model says of itself when it fails."""
    return f"The model failed by {fault}"


class StandIns:
    """Watches every answer of a story with stand-ins. Runs side by side are left alone: each knows the session as it
    began. What clients are told by an event counts for no chat, and an answer to a memory flush, for which no other
    model stands in, is one to nobody: whoever answered before it is still the one whom people know.
    """

    def __init__(self, findings: Findings, story: Story) -> None:
        self._findings = findings
        self._is_on = bool(story.setting.stand_ins) and not story.has_fanout
        self._told: dict[SessionKey, str] = {}
        self.whys: set[str] = set()

    def watch(self, name: str, key: SessionKey, change: SessionChange) -> None:
        """Look at a commit called `name`."""
        if name == "append_flush":
            return
        answers = [
            entry.message
            for entry in change.entries
            if isinstance(entry, MessageEntry) and isinstance(entry.message, AssistantMessage)
        ]
        owed = [delivery.text for delivery in change.deliveries if delivery.state == "pending"]
        told = _LINE.findall(" ".join(" ".join(owed).split()))
        if not self._is_on or not answers or answers[-1].stop_reason not in {"stop", "toolUse"}:
            # A sentence about an answer without words says who gave it, too.
            self._told |= {key: told[-1][0]} if told else {}
            return
        model = answers[-1].model
        findings = self._findings
        if model == MODELS[0]:
            findings.require(not told, "CFG-13", f"{key} was answered by {model} and is told {told}")
            self._told.pop(key, None)
            return
        if owed and self._told.get(key) != model:
            names = [each for each in told if each[0] == model]
            findings.require(bool(names), "CFG-13", f"{key} was answered by {model} in silence: {owed[0][:80]}")
            for each in names:
                findings.require(each[2] in self.whys, "CFG-13", f"{key} is told {each[2]}, and no model said so")
        if owed:
            self._told[key] = model
