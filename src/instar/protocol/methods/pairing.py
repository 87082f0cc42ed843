"""Methods about who may write (LEAK-2)."""

from __future__ import annotations

from typing import Final

from instar.protocol.methods.row import ADMIN, Method, text

__all__ = ["PAIRING"]

_CODE: Final = text("code", required=True, most=64, note="as it was told; case, blanks and hyphens do not matter")
_WHO: Final = "channel, accountId, chatType, peerId, name, sessionKey"

PAIRING: Final = (
    Method(
        name="pairing.list",
        scope=ADMIN,
        summary="codes that wait for the owner's word, the oldest first, and everybody who was approved",
        result=f"`{{waiting: [{{code, {_WHO}, createdAt, toldAt, expiresAt}}], approved: [{{{_WHO}, approvedAt, "
        "approvedBy}], limits: {waitingPerAccount, ttlMs}}`",
        rule="LEAK-2",
    ),
    Method(
        name="pairing.approve",
        scope=ADMIN,
        summary="let in the person or group that a code was told to; they are told so",
        result=f"`{{ok, {_WHO}, approvedAt, approvedBy, told, warnings: [text]}}`",
        rule="LEAK-2",
        side_effect=True,
        fields=(_CODE,),
    ),
    Method(
        name="pairing.reject",
        scope=ADMIN,
        summary="take a code out of the list; nobody is told",
        result=f"`{{ok, {_WHO}}}`",
        rule="LEAK-2",
        side_effect=True,
        fields=(_CODE,),
    ),
    Method(
        name="pairing.revoke",
        scope=ADMIN,
        summary="take an approval back; whom `allowFrom` names keeps writing",
        result=f"`{{ok, {_WHO}, approvedAt, approvedBy}}`",
        rule="LEAK-2",
        side_effect=True,
        fields=(
            text("peerId", required=True, most=512, note="the id of the person or group, as the list shows it"),
            text("channel", most=128, note="needed where the id was approved on several"),
            text("accountId", most=128, note="the same for accounts of one channel"),
        ),
    ),
)
