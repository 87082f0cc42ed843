"""Methods about what is on record: why, which transcripts, how a session stands (WHY-2, LOSS-6, STORE-6, STATUS-6)."""

from __future__ import annotations

from typing import Final

from instar.core.routing.normalize import CHAT_WORDS
from instar.protocol.methods.row import ADMIN, KEY, READ, SESSION_KEY_MAX_CHARS, Method, flag, text, whole
from instar.protocol.params import Field

RECORDS: Final = (
    Method(
        name="sessions.explain",
        scope=READ,
        summary="why things went as they did: the recorded decisions, the newest first, each in a sentence",
        result="`{rows: [{at, kind, outcome, rule, question, sentence, inputs, who, sessionKey, inboundId, turnId}]}`",
        rule="WHY-1, WHY-2",
        fields=(
            text("key", most=SESSION_KEY_MAX_CHARS, note="exactly one of `key`, `inboundId`, `turnId`"),
            text(
                "inboundId",
                most=512,
                note="a message, by the id of its acknowledgement or its platform (`telegram:17`)",
            ),
            text("turnId", most=512, note="a run"),
            whole("limit", least=1, most=1000, note="default 50"),
        ),
    ),
    Method(
        name="sessions.route",
        scope=ADMIN,
        summary="what would become of a message of a channel: nothing is sent, nothing stored",
        result="`{status, reason, hint, sessionKey, agentId, nextExpiryAt, rows: as of sessions.explain}`",
        rule="WHY-3",
        fields=(
            text("channel", required=True, most=256),
            Field(name="chat", choices=CHAT_WORDS, note="default direct; `dm` and `room` are older words"),
            text("peer", required=True, most=512, note="the person of a direct chat, else the group or room"),
            text("sender", most=512, note="who writes in a group"),
            text("account", most=256, note="default `default`"),
            text("thread", most=512),
            text("space", most=512, note="the server or team of a room"),
            text("text", most=16_384, note="the words, where a command or a pattern matters"),
            flag("mentioned", note="whether the message addresses the agent"),
        ),
    ),
    Method(
        name="sessions.transcripts",
        scope=READ,
        summary="every transcript of a session, the newest first; the current one is not closed",
        result="`{key, transcripts: [{sessionId, isCurrent, beganAt, closedAt, closeReason, messages, bytes}]}`",
        rule="LOSS-6",
        fields=(KEY,),
    ),
    Method(
        name="sessions.import",
        scope=ADMIN,
        summary="bring in a transcript file of version 1, 2 or 3; importing it twice adds nothing",
        result="`{ok, key, sessionId, stored, entries, fromVersion, findings: [sentence]}`",
        rule="STORE-6",
        side_effect=True,
        fields=(
            text("name", required=True, most=200, note="of the file; one that ends in `.zst` is packed"),
            text("content", required=True, note="the file, base64"),
            text("key", most=SESSION_KEY_MAX_CHARS, note="without it the transcript becomes a thread of its own"),
        ),
    ),
    Method(
        name="sessions.status",
        scope=READ,
        summary="how a session stands and what holds for it, as the chat command `/status` tells it",
        result="`{text, status, changes?: {stateVersion, events, historyGap?, hasMore?}}`",
        rule="STATUS-1…6, WHY-6, STATE-8",
        fields=(KEY, whole("changesSince", note="also what happened after this version of the session")),
    ),
)
