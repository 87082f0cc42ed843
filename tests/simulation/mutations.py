"""One-line defects that the simulation has to find: a file, a line of it, and what somebody might write by mistake.

Each breaks a promise that is kept by one line: at the door, in the lane, in the turn, in the outbox, in the mirror, in
what a start takes over, in when a session starts over, in how a thread begins, in who is let in, what may be spent, who
answered and what is left of somebody who was erased. A new kind of promise gets a line here.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["MUTATIONS", "Mutation"]


@dataclass(frozen=True)
class Mutation:
    """`old` occurs once in `file` (below ``src/instar``) and becomes `new`; one of `seeds` stories from `first` on must
    break. What few stories meet begins near one that does.
    """

    name: str
    file: str
    old: str
    new: str
    seeds: int = 200
    first: int = 0


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
        "lane: whoever waits for one that is stopped is told nothing",
        "gateway/lane.py",
        "        for mail in self._mail.leave():\n            await refuse(mail)\n",
        "        self._mail.leave()\n",
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
        first=1_800,
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
        "        return is_as_left(mark) or (self._lets_go and row.closed_at is not None and not path.exists())\n",
        "        return True\n",
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
        "    _book(tx, change.ledger, key=key, session_id=life, now=now)\n",
        "",
    ),
    Mutation(
        "fanout: of two answers side by side each tells of the reset",
        "core/turn/reply.py",
        "        is_told = session is None or read_owed_notice(session) is None\n",
        "        is_told = False\n",
        seeds=1_200,
    ),
    Mutation(
        "pairing: everybody is let in",
        "core/policy/access.py",
        '    return "paired" if _spell_sender(settings, facts) in pairing.people else None\n',
        '    return "paired"\n',
    ),
    Mutation(
        "pairing: a code opens for ever",
        "core/policy/pairing.py",
        "    return holds_at(now, since=code.created_at, until=code.expires_at)\n",
        "    return True\n",
        seeds=400,
    ),
    Mutation(
        "pairing: whoever was sent away is still let in",
        "stores/pairing.py",
        '        tx.run("remove_pairing", _name(change.revoke))\n',
        "        pass\n",
        seeds=1_200,
    ),
    Mutation(
        "budget: nobody asks what was spent",
        "core/policy/budget.py",
        "    if stops:\n",
        "    if stops and not used_up:\n",
        seeds=400,
    ),
    Mutation(
        "budget: what a session has spent in earlier lives counts for this one",
        "stores/queries/usage.sql",
        "WHERE session_key = :session_key AND session_id = :session_id\n",
        "WHERE session_key = :session_key AND session_id IS NOT NULL\n",
        seeds=400,
    ),
    Mutation(
        "budget: yesterday counts for today",
        "core/policy/budget.py",
        "        start, end = local, local + timedelta(days=1)\n",
        "        start, end = local - timedelta(days=1), local + timedelta(days=1)\n",
        seeds=400,
    ),
    Mutation(
        "stand-in: another model answers in silence",
        "core/turn/standin.py",
        "    return _build_line(notes, known=session.extra.get(STAND_IN_FIELD))\n",
        "    return None\n",
    ),
    Mutation(
        "erase: replies that are owed stay",
        "stores/erasing/registry.py",
        '        erased_by=("erase_outbox",),\n',
        "        erased_by=(),\n",
        seeds=400,
    ),
    Mutation(
        "thread: it begins without what was said above it",
        "core/turn/begin.py",
        "    fork = decide_fork(parent) if parent is not None and is_first else None\n",
        "    fork = decide_fork(parent) if parent is None and is_first else None\n",
        first=110_000,
    ),
    Mutation(
        "erase: the mirror keeps what the rows have lost",
        "stores/erasing/eraser.py",
        "        counts += await asyncio.to_thread(erase_files, self._places, found, test)\n",
        "",
        seeds=400,
    ),
    Mutation(
        "erase: a cut erasure is not taken up",
        "stores/erasing/eraser.py",
        '        rows = await self._engine.read(lambda tx: tx.all("list_open_erasures", {}))\n',
        "        rows: list[Row] = []\n",
        seeds=1_200,
    ),
    Mutation(
        "erase: others who shared a session lose their words",
        "core/context/erasing.py",
        " and _is_same(words, spoken, is_named=sender is not None):\n",
        " or _is_same(words, spoken, is_named=sender is not None):\n",
        seeds=1_200,
    ),
)
"""In the order in which a message meets them."""
