"""Methods by which nothing is lost (LOSS-5, LOSS-8, LOSS-12)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, cast

from instar.api.call import Call, Handler
from instar.core.delivery.redo import RedoAction
from instar.core.model.change import DeliveryState
from instar.core.model.ids import DeliveryId
from instar.core.model.query import DeliveryRow
from instar.errors import InvalidRequest

__all__ = ["HANDLERS"]

LIST_DEFAULT_LIMIT: Final = 100

_IN_DOUBT: Final[tuple[DeliveryState, ...]] = ("unknown", "failed")
_ALL: Final[tuple[DeliveryState, ...]] = (*_IN_DOUBT, "pending", "sending", "sent", "suppressed", "dropped")


async def create_backup(call: Call) -> object:
    """`backup.create`."""
    made = await call.gateway.keeping.back_up(call.params.maybe_text("name"))
    return {
        "path": made.path,
        "bytes": made.size_bytes,
        "files": made.files,
        "counts": dict(made.counts),
        "notes": list(made.notes),
        "skipped": list(made.skipped),
    }


async def list_deliveries(call: Call) -> object:
    """`outbox.list`."""
    asked = call.params.maybe_text("state")
    one = cast("DeliveryState", asked)  # the table lets no other word through
    states = _IN_DOUBT if asked is None else _ALL if asked == "all" else (one,)
    limit = call.params.whole("limit", LIST_DEFAULT_LIMIT)
    rows = await call.gateway.keeping.deliveries(states, key=call.maybe_key("key"), limit=limit)
    return {"deliveries": [_delivery(row) for row in rows]}


def _delivery(row: DeliveryRow) -> dict[str, object]:
    target = row.outbound.target
    return {
        "deliveryId": row.outbound.delivery_id,
        "sessionKey": row.session_key,
        "channel": target.channel,
        "accountId": target.account_id,
        "to": target.to,
        "state": row.state,
        "reason": row.reason,
        "tries": row.hand_outs,
        "createdAt": row.created_at,
        "nextAt": row.next_at,
        "endedAt": row.ended_at,
        "text": row.outbound.text,
    }


async def send_delivery(call: Call) -> object:
    """`outbox.send`."""
    return await _redo(call, "send")


async def drop_delivery(call: Call) -> object:
    """`outbox.drop`."""
    return await _redo(call, "drop")


async def _redo(call: Call, action: RedoAction) -> object:
    delivery_id = DeliveryId(call.params.text("deliveryId"))
    row = await call.gateway.keeping.redo(delivery_id, action, who=call.caller.who)
    return {"ok": True, "deliveryId": delivery_id, "was": row.state}


async def restore_session(call: Call) -> object:
    """`sessions.restore`."""
    path = call.params.maybe_text("path")
    key = call.maybe_key("key")
    if key is None and path is None:
        raise InvalidRequest("invalid sessions.restore params: provide key, path or both", field="key")
    done = await call.gateway.keeping.restore(key, path, who=call.caller.who)
    return {
        "ok": True,
        "key": done.key,
        "sessionIds": list(done.session_ids),
        "archives": list(done.archives),
        "findings": list(done.findings),
    }


HANDLERS: Final[Mapping[str, Handler]] = {
    "backup.create": create_backup,
    "outbox.list": list_deliveries,
    "outbox.send": send_delivery,
    "outbox.drop": drop_delivery,
    "sessions.restore": restore_session,
}
