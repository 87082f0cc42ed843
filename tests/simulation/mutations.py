"""One-line defects that the simulation has to find: a file, a line of it, and what somebody might write by mistake.

Each breaks a promise that is kept by one line: at the door, in the lane, in the turn, in the outbox, in the mirror, in
what a start takes over, in when a session starts over. A new kind of promise gets a line here.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["MUTATIONS", "Mutation"]


@dataclass(frozen=True)
class Mutation:
    """`old` occurs once in `file` (below ``src/instar``) and becomes `new`; one of `seeds` stories must break."""

    name: str
    file: str
    old: str
    new: str
    seeds: int = 200


MUTATIONS = (
    Mutation(
        "accept: a message is acknowledged and goes nowhere",
        "gateway/gateway.py",
        "            if item is not None and not self._is_draining:\n",
        "            if item is not None and self._is_draining:\n",
    ),
    Mutation(
        "dedupe: a repeat is told that it is the first",
        "stores/inbox.py",
        "        return _again(read_acknowledgement(row[0])), None\n",
        "        return replace(read_acknowledgement(row[0]), inbound_id=inbound_id), None\n",
    ),
    Mutation(
        "accept: a private session of each person becomes one for all",
        "core/routing/key.py",
        '            rest = f"{_word(channel)}:direct:{peer}"\n',
        '            rest = f"{_word(channel)}:direct:anybody"\n',
    ),
    Mutation(
        "lane: a second turn does not wait for the first",
        "core/queue/mode.py",
        '    if state.running:\n        return Next(action="blocked", rule=_rule_of_block(state, "QUEUE-2"))\n',
        '    if not state.waiting:\n        return Next(action="blocked", rule=_rule_of_block(state, "QUEUE-2"))\n',
    ),
    Mutation(
        "lane: what falls to a full queue is forgotten",
        "gateway/lane.py",
        "        self._owe_ends(arrival.dropped)\n",
        "        self._owe_ends(())\n",
    ),
    Mutation(
        "lane: what a start finds waiting is not taken up",
        "stores/recover.py",
        '        waiting=load_open_inbox(tx, "waiting"),\n',
        "        waiting=(),\n",
    ),
    Mutation(
        "turn: an answer does not end what it answers",
        "core/turn/steps.py",
        "        inbox=ended,\n        deliveries=deliveries,\n",
        "        inbox=(),\n        deliveries=deliveries,\n",
    ),
    Mutation(
        "turn: a tool call that a crash cut off stays open",
        "gateway/tool_calls.py",
        "    for call in find_open_calls([stored.entry for stored in page.entries]):\n",
        "    for call in find_open_calls([stored.entry for stored in page.entries[:0]]):\n",
    ),
    Mutation(
        "turn: what a cut turn had taken is forgotten",
        "gateway/turn.py",
        "        self._merged, self._heard = await services.load_taken(self.key, self.turn_id)\n",
        "        self._merged, self._heard = [], []\n",
        seeds=600,
    ),
    Mutation(
        "turn: an answer is told and not written down as owed",
        "core/turn/steps.py",
        "        deliveries=deliveries,\n        ledger=() if call",
        "        deliveries=(),\n        ledger=() if call",
    ),
    Mutation(
        "outbox: a reply whose sending was cut is left on its way",
        "stores/recover.py",
        '    tx.run("doubt_deliveries", {})\n',
        "",
    ),
    Mutation(
        "outbox: a channel that breaks counts as one that has sent",
        "gateway/outbox.py",
        "            channel=outbound.target.channel,\n            state=step.state,\n",
        '            channel=outbound.target.channel,\n            state="sent",\n',
    ),
    Mutation(
        "mirror: only what was touched last is written",
        "stores/mirror.py",
        "            self._transcripts |= touched.transcripts\n",
        "            self._transcripts = set(touched.transcripts)\n",
    ),
    Mutation(
        "mirror: a file that a crash has cut is taken for whole",
        "stores/mirror.py",
        "        return mark is not None and mark.path == path and mark.seq == row.last_seq and is_as_left(mark)\n",
        "        return mark is not None and mark.path == path and mark.seq == row.last_seq\n",
    ),
    Mutation(
        "freshness: a session in use is idle, and one left alone is not",
        "core/lifecycle/freshness.py",
        "    is_idle = idle_at is not None and now > idle_at\n",
        "    is_idle = idle_at is not None and now < idle_at\n",
    ),
    Mutation(
        "freshness: the daily boundary is the next one",
        "core/lifecycle/freshness.py",
        "    return boundaries[place - 1], boundaries[place]\n",
        "    return boundaries[place], boundaries[place + 1]\n",
    ),
    Mutation(
        "freshness: the line about a reset is told with every answer",
        "core/turn/steps.py",
        "        session=_without_notice(touched) if has_told_reset else touched,\n",
        "        session=touched,\n",
    ),
    Mutation(
        "fence: a gateway that was taken for dead goes on writing",
        "stores/change.py",
        "    if fence != newest:\n",
        "    if fence > newest:\n",
        seeds=400,
    ),
    Mutation(
        "delete: a transcript is removed before it is archived",
        "gateway/sessions.py",
        "        archived = tuple([await parts.archiver.archive(head) for head in heads if head.next_seq > 1])\n",
        "        archived = tuple([await parts.archiver.archive(head) for head in heads if head.next_seq > 5])\n",
    ),
    Mutation(
        "ledger: what a turn used is not booked",
        "stores/change.py",
        "    _book(tx, change.ledger, key=key, now=now)\n",
        "",
    ),
)
"""In the order in which a message meets them."""
