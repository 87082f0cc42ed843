"""Methods by which nothing is lost: backups, replies in doubt, deleted sessions (LOSS-5, LOSS-8, LOSS-12)."""

from __future__ import annotations

from typing import Final

from instar.protocol.methods.row import (
    ADMIN,
    SESSION_KEY_MAX_CHARS,
    Method,
    text,
    whole,
)
from instar.protocol.params import Field

__all__ = ["KEEPING"]

_DELIVERY: Final = text("deliveryId", required=True, most=512)

KEEPING: Final = (
    Method(
        name="backup.create",
        scope=ADMIN,
        summary="write a backup of the running gateway on its own machine and read it back",
        result="`{path, bytes, files, counts, notes, skipped}`",
        rule="LOSS-12",
        side_effect=True,
        fields=(text("name", most=200, note="a file name in `<state>/backups`; without it one made of the time"),),
    ),
    Method(
        name="outbox.list",
        scope=ADMIN,
        summary="replies that did not arrive, or may not have, the newest first",
        result="`{deliveries: [{deliveryId, sessionKey, channel, to, state, reason, tries, createdAt, text, …}]}`",
        rule="LOSS-5",
        fields=(
            Field(
                name="state",
                choices=("unknown", "failed", "pending", "sending", "sent", "suppressed", "dropped", "all"),
                note="without it `unknown` and `failed`",
            ),
            text("key", most=SESSION_KEY_MAX_CHARS, note="only replies of this session"),
            whole("limit", least=1, most=1000, note="default 100"),
        ),
    ),
    Method(
        name="outbox.send",
        scope=ADMIN,
        summary="send a reply again that failed or whose fate is unknown",
        result="`{ok, deliveryId, was}`",
        rule="LOSS-5",
        side_effect=True,
        fields=(_DELIVERY,),
    ),
    Method(
        name="outbox.drop",
        scope=ADMIN,
        summary="let a reply go that failed, waits, or whose fate is unknown",
        result="`{ok, deliveryId, was}`",
        rule="LOSS-5",
        side_effect=True,
        fields=(_DELIVERY,),
    ),
    Method(
        name="sessions.restore",
        scope=ADMIN,
        summary="bring a deleted session back from its archives",
        result="`{ok, key, sessionIds, archives, findings: [sentence]}`",
        rule="LOSS-8",
        side_effect=True,
        fields=(
            text("key", most=SESSION_KEY_MAX_CHARS, note="the session that was deleted"),
            text("path", most=4096, note="one archive in the state directory; without it all of the key"),
        ),
    ),
)
