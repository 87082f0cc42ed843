"""Where the answer of a session leaves, and what the send policy is asked about it (SEND-4, SEND-5, DOCK-7).

What belongs here: the way of an answer, and the facts that its permission hangs on, for everybody who asks: the reply
itself, the door, the status, and the question what would become of a message. What does not: the policy's answer
(`instar.core.policy.send`), and the words that leave (`instar.core.turn.reply`).
"""

from __future__ import annotations

from dataclasses import replace

from instar.core.delivery.route import ReplyRoute, build_reply_target, decide_reply_route, holds_dock
from instar.core.model.change import Submission
from instar.core.model.ids import SessionKey
from instar.core.model.session import Session
from instar.core.policy.send import SendFacts
from instar.core.routing.identity import Links

__all__ = ["build_send_facts", "find_reply_route", "find_usual_route"]


def find_reply_route(submission: Submission, session: Session | None, links: Links) -> ReplyRoute | None:
    """How the answer to a message goes; None when nobody asked for it to leave, or it has no way.

    `session` is None for a message that would begin it.
    """
    if submission.session_key is not None and not submission.options.deliver:
        return None
    own = None if submission.session_key is not None else build_reply_target(submission.inbound)
    is_dockers = session is not None and holds_dock(session, submission.inbound, links)
    route = decide_reply_route(session, own, is_dockers=is_dockers)
    if route.target is None:
        return None
    if route.source in {"message", "others_dock"} and route.target.chat_type != "direct":
        return replace(route, target=replace(route.target, reply_to_id=submission.inbound.message_id))
    return route


def find_usual_route(submission: Submission | None, session: Session | None, links: Links) -> ReplyRoute | None:
    """How answers of a session go for whoever asks about it: as the one to their message, else the session's own way.

    `submission` is None where no message asks.
    """
    asked = None if submission is None else find_reply_route(submission, session, links)
    return asked or decide_reply_route(session, None, is_dockers=False)


def build_send_facts(key: SessionKey, session: Session | None, route: ReplyRoute | None, *, main_key: str) -> SendFacts:
    """What the send policy is asked: may this session send by this way? `route` is None where nothing leaves.

    The place where it goes wins over the place where the session was last (SEND-4, SEND-5).
    """
    target = None if route is None else route.target
    # Of a remembered place only the row and the key know the type: its route repeats them, or guesses.
    is_remembered = route is not None and route.source == "last"
    return SendFacts(
        key=key,
        override=session.overrides.send_policy if session else None,
        channel=target.channel if target else None,
        chat_type=target.chat_type if target and not is_remembered else None,
        entry_channel=session.origin.channel if session else None,
        entry_last_channel=session.delivery.channel if session else None,
        entry_chat_type=session.origin.chat_type if session else None,
        main_key=main_key,
    )
