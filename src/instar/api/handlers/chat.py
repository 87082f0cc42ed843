"""Methods of a conversation (RPC-14…18, RPC-36, RPC-37).

Sending a message does nothing here but make a `Submission`: whether it is a command, a stop, a message that waits or
is refused is the gateway's decision, the same as for a message from any channel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from instar.api.call import Call, Handler
from instar.api.handlers.attachments import parse_attachments
from instar.api.handlers.facts import build_metadata
from instar.api.messages import HISTORY_MAX_BYTES, build_messages
from instar.api.rows import build_defaults, build_view_row
from instar.core.model.change import Acknowledgement, Submission, TurnOptions
from instar.core.model.ids import AccountId, ChannelName, SessionKey, TurnId
from instar.core.model.message import Chat, Inbound, Sender
from instar.core.model.view import RunState
from instar.core.policy.levels import require_thinking
from instar.core.policy.scopes import ADMIN, has_scope
from instar.core.routing.principal import build_message_id
from instar.errors import InvalidRequest
from instar.protocol.frames import MESSAGE_TEXT_MAX_BYTES

__all__ = ["HANDLERS", "check_text", "send_message"]

_CHANNEL: Final = ChannelName("webchat")
_ACCOUNT: Final = AccountId("default")


async def send_chat(call: Call) -> object:
    """`chat.send`."""
    return await send_message(
        call,
        call.key("sessionKey"),
        idempotency_key=call.params.text("idempotencyKey"),
        shown_session_id=call.params.maybe_text("sessionId"),
    )


async def send_to_session(call: Call) -> object:
    """`sessions.send`; without an idempotency key every call is a message of its own."""
    idempotency_key = call.params.text("idempotencyKey") or call.services.ids.turn_id()
    return await send_message(call, call.key("key"), idempotency_key=idempotency_key)


async def steer_session(call: Call) -> object:
    """`sessions.steer`: as `sessions.send`, into the running turn whatever the session's queue mode (QUEUE-3).

    It chooses the mode for a message, as `/queue` does: not for a guest of a group (CMD-25, CMD-4).
    """
    key = call.key("key")
    call.check_may_command(key, "steering a turn")
    idempotency_key = call.params.text("idempotencyKey") or call.services.ids.turn_id()
    return await send_message(call, key, idempotency_key=idempotency_key, queue_mode="steer")


async def send_message(
    call: Call,
    key: SessionKey,
    *,
    idempotency_key: str,
    queue_mode: str | None = None,
    is_run: bool = False,
    shown_session_id: str | None = None,
) -> dict[str, object]:
    """Commit a message to a session; answers when it is safe, not when it is answered (LOSS-1).

    `is_run` says that the caller takes the answer itself (`agent`). `shown_session_id` is the session that the client
    was showing: it goes on for this message (RESET-28).
    """
    submission = _submission(call, key, idempotency_key=idempotency_key, queue_mode=queue_mode)
    submission = replace(
        submission,
        run_id=await _choose_run_id(call, TurnId(idempotency_key)),
        options=replace(submission.options, is_run=is_run),
        shown_session_id=shown_session_id or None,
    )
    acknowledgement = await call.gateway.submit(submission)
    if acknowledgement.session_key != key and not call.sight.covers(acknowledgement.session_key):
        raise _taken()
    if acknowledgement.status == "refused":
        raise _refused(acknowledgement)
    run_id = acknowledgement.turn_id or TurnId(idempotency_key)
    principal = call.caller.principal
    state = await call.gateway.run_state(run_id, principal=principal) if acknowledgement.repeated else None
    return {"runId": run_id, "status": _status(state) if acknowledgement.repeated else "started"}


def _submission(call: Call, key: SessionKey, *, idempotency_key: str, queue_mode: str | None) -> Submission:
    params, caller = call.params, call.caller
    call.check_may_set(key, "model", "thinking", "queueMode")
    text = params.text("message")
    check_text(text)
    attachments = parse_attachments(params.list("attachments"))
    if not text.strip() and not attachments:
        raise InvalidRequest("message or attachment required", field="message")
    asked = params.maybe_text("thinking")
    thinking = require_thinking(asked, field="thinking") if asked else None
    inbound = Inbound(
        channel=_CHANNEL,
        account_id=_ACCOUNT,
        message_id=build_message_id(caller.principal, idempotency_key),
        chat=Chat(type="direct", id=caller.who),
        sender=Sender(id=caller.who, name=caller.principal),
        text=text,
        mentioned=True,
        reply_to_id=params.maybe_text("replyToId"),
        attachments=attachments,
    )
    return Submission(
        inbound=inbound,
        session_key=key,
        principal=caller.principal,
        may_command=call.may_command(key),
        is_owner=has_scope(caller.scopes, ADMIN),
        options=TurnOptions(
            deliver=params.flag("deliver"),
            thinking=thinking.level if thinking else None,
            reasoning=thinking.reasoning if thinking else None,
            model=params.maybe_text("model") or None,
            timeout_ms=params.maybe_whole("timeoutMs") or params.whole("timeout", 0) * 1000 or None,
            queue_mode=queue_mode or params.maybe_text("queueMode"),
        ),
    )


async def _choose_run_id(call: Call, wanted: TurnId) -> TurnId:
    """The id of the run that a message begins: the one that its client chose, unless a run has it.

    Then it is the client's own, which the acknowledgement of the first time names, or another's: nobody gets, joins or
    blocks what is not theirs by choosing its id (LEAK-4).
    """
    state = await call.gateway.run_state(wanted, principal=call.caller.principal)
    return wanted if state is None else call.services.ids.turn_id()


def _taken() -> InvalidRequest:
    return InvalidRequest("idempotencyKey is taken; draw a new one for each message", field="idempotencyKey")


def check_text(text: str) -> None:
    """Raises `InvalidRequest` for a text that is too long for one message (GW-7)."""
    # A character takes at most four bytes, so most texts need no counting.
    size = len(text) if len(text) * 4 <= MESSAGE_TEXT_MAX_BYTES else len(text.encode("utf-8", "surrogatepass"))
    if size > MESSAGE_TEXT_MAX_BYTES:
        raise InvalidRequest(
            f"at /message: must NOT have more than {MESSAGE_TEXT_MAX_BYTES} bytes (it has {size})", field="message"
        )


def _status(state: RunState | None) -> str:
    """How far the run of a repeated message is."""
    match state.status if state is not None else None:
        case "waiting" | "running":
            return "in_flight"
        case "error":
            return "error"
        case _:
            return "ok"


def _refused(acknowledgement: Acknowledgement) -> InvalidRequest:
    reason = acknowledgement.reason or "refused"
    if reason.startswith("send"):
        return InvalidRequest("send blocked by session policy", field="sessionKey")
    return InvalidRequest(f"message refused: {reason}", field="sessionKey")


async def load_history(call: Call) -> dict[str, object]:
    """`chat.history`."""
    params = call.params
    key = call.key("sessionKey")
    limit, offset = params.whole("limit", 200), params.whole("offset", 0)
    history = await call.gateway.sessions.history(key, limit=limit + offset)
    entries = history.entries[: len(history.entries) - offset] if offset else history.entries
    messages, was_cut = build_messages(
        entries,
        max_bytes=params.whole("maxBytes", HISTORY_MAX_BYTES),
        max_chars=params.maybe_whole("maxChars"),
    )
    answer: dict[str, object] = {
        "sessionKey": key,
        "messages": messages,
        "thinkingLevel": history.thinking,
        "hasMore": history.has_more or was_cut,
        "totalMessages": history.total,
        "defaults": build_defaults(call.gateway.facts()),
    }
    if history.session is not None:
        answer["sessionId"] = history.session.session.session_id
        answer["sessionInfo"] = build_view_row(history.session)
    return answer


async def load_startup(call: Call) -> object:
    """`chat.startup`: a history with what a page needs around it."""
    return {**await load_history(call), "metadata": build_metadata(call.gateway.facts(), places=call.sight.sees_all)}


async def load_metadata(call: Call) -> object:
    """`chat.metadata`."""
    return build_metadata(call.gateway.facts(), places=call.sight.sees_all)


async def abort_chat(call: Call) -> object:
    """`chat.abort`."""
    run_id = call.params.maybe_text("runId")
    return await _abort(call, call.key("sessionKey"), run_id)


async def abort_session(call: Call) -> object:
    """`sessions.abort`: by key, or by a run id alone."""
    run_id = call.params.maybe_text("runId")
    key = call.maybe_key("key")
    if key is None and run_id:
        state = await call.gateway.run_state(TurnId(run_id), principal=call.caller.principal)
        key = state.session_key if state is not None else None
        call = call if key is None else await call.looked_up(key)
        if key is None or not call.sight.sees(key):
            return {"ok": True, "aborted": False, "runIds": []}
    if key is None:
        raise InvalidRequest("invalid sessions.abort params: must have required property 'key'", field="key")
    return await _abort(call, key, run_id)


async def _abort(call: Call, key: SessionKey, run_id: str | None) -> object:
    """Stop a turn, for whoever may say ``/stop`` in that session (CMD-26, CMD-4)."""
    call.check_may_command(key, "stopping a turn")
    ids = await call.gateway.sessions.abort(key, TurnId(run_id) if run_id else None, who=call.caller.who)
    return {"ok": True, "aborted": bool(ids), "runIds": list(ids)}


async def inject_message(call: Call) -> object:
    """`chat.inject`."""
    text = call.params.text("message")
    check_text(text)
    entry_id = await call.gateway.sessions.inject(
        call.key("sessionKey"), text, label=call.params.text("label") or None, who=call.caller.who
    )
    return {"ok": True, "messageId": entry_id}


HANDLERS: Final[Mapping[str, Handler]] = {
    "chat.send": send_chat,
    "sessions.send": send_to_session,
    "sessions.steer": steer_session,
    "chat.history": load_history,
    "chat.startup": load_startup,
    "chat.metadata": load_metadata,
    "chat.abort": abort_chat,
    "sessions.abort": abort_session,
    "chat.inject": inject_message,
}
