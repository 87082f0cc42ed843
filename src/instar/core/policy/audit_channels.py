"""What the audit says about people: who may write, and who would read whose words (AUDIT-10…15, AUDIT-31, AUDIT-32).

The question behind each rule is the same: can the words of one person come before another? The owner of a gateway with
one person on it hears nothing of this.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator

from instar.core.policy.audit_facts import AuditFacts, AuditFinding, ChannelFacts, Meeting
from instar.core.policy.remedies import DRAWN, build_set
from instar.core.routing.identity import person_segment, resolve_person

__all__ = ["find_people_risks"]

SHORT_SECRET_CHARS = 24
"""A secret below this length can be guessed by a patient program (AUDIT-21)."""

_SHOWN = 5

_MANY_PEOPLE = "security.trust_model.multi_user_heuristic"


def find_people_risks(facts: AuditFacts) -> Iterator[AuditFinding]:
    """What is risky about who may write, channel by channel, then about groups and about what has happened."""
    sharing = [channel for channel in facts.channels if channel.shares_main and channel.access.dm_policy != "off"]
    senders = frozenset(person for channel in sharing for person in _senders(facts, channel))
    for channel in facts.channels:
        if channel in sharing:
            yield from _find_sharing(channel, here=_senders(facts, channel), everywhere=senders)
        yield from _find_policies(channel)
        yield from _find_weak_token(channel)
    for path in facts.group_scope_main:
        yield _group_scope(path)
    signals = [signal for channel in facts.channels for signal in _signals(channel)]
    if signals:
        yield _many_people(signals, facts.suppressed)
    yield from (_met(meeting) for meeting in facts.meetings)


def _senders(facts: AuditFacts, channel: ChannelFacts) -> frozenset[str]:
    """The people who may write one-to-one, each once however many addresses they have (AUDIT-32)."""
    people = channel.access.allow_from.people | channel.paired
    return frozenset(_person(facts, channel, peer_id) for peer_id in people)


def _person(facts: AuditFacts, channel: ChannelFacts, peer_id: str) -> str:
    group = resolve_person(facts.links, channel=channel.name, peer_id=peer_id)
    return f"{channel.name}:{peer_id}" if group is None else person_segment(group.name)


def _find_sharing(channel: ChannelFacts, *, here: frozenset[str], everywhere: frozenset[str]) -> Iterator[AuditFinding]:
    anybody = channel.access.allow_from.everybody or channel.access.dm_policy == "open"
    if not anybody and (not here or len(everywhere) < 2):
        return
    who = "everybody" if anybody else f"{len(everywhere)} people ({_some(everywhere)})"
    scope = "per-account-channel-peer" if channel.accounts > 1 else "per-channel-peer"
    yield AuditFinding(
        check_id=f"channels.{channel.name}.dm.scope_main_multiuser",
        severity="warn",
        title=f"People who write on {channel.name} share one session",
        detail=(
            f'session.dmScope is "main" and {who} may write one-to-one: what one says, the agent may tell another.'
        ),
        remediation=(
            f"{build_set('session.dmScope', scope)}\n"
            "If they are addresses of one person, name them together in session.identityLinks."
        ),
    )


def _find_policies(channel: ChannelFacts) -> Iterator[AuditFinding]:
    name, policy = channel.name, channel.access.dm_policy
    if policy == "open":
        yield AuditFinding(
            check_id=f"channels.{name}.dm.open",
            severity="critical",
            title=f"Everybody may write to the agent on {name}",
            detail=f'{channel.path}.dmPolicy is "open": strangers reach the agent, and spend what it costs.',
            remediation=build_set(f"{channel.path}.dmPolicy", "pairing"),
        )
        if not channel.access.allow_from.everybody:
            narrow = "allowlist" if channel.access.allow_from.is_given else "pairing"
            yield AuditFinding(
                check_id=f"channels.{name}.dm.open_invalid",
                severity="warn",
                title=f"{name} is open without saying so in its list",
                detail=f'{channel.path}.dmPolicy is "open" and {channel.path}.allowFrom has no "*".',
                remediation=(
                    f"{build_set(f'{channel.path}.dmPolicy', narrow)}\n"
                    f"Or, if everybody is meant: {build_set(f'{channel.path}.allowFrom', json.dumps(['*']))}"
                ),
            )
    if policy == "off":
        yield AuditFinding(
            check_id=f"channels.{name}.dm.disabled",
            severity="info",
            title=f"Nobody may write one-to-one on {name}",
            detail=f'{channel.path}.dmPolicy is "off".',
        )


def _find_weak_token(channel: ChannelFacts) -> Iterator[AuditFinding]:
    """A bridge's token speaks for everybody on its channel."""
    remedy = f"{build_set(f'{channel.path}.token', DRAWN)}\nThen give it to the program, too."
    if channel.is_gateway_secret:
        yield AuditFinding(
            check_id=f"channels.{channel.name}.token_reuse_gateway_token",
            severity="critical",
            title=f"The program behind {channel.name} holds the gateway's own secret",
            detail=f"{channel.path}.token is the secret that opens everything.",
            remediation=remedy,
        )
    elif channel.token_chars is not None and channel.token_chars < SHORT_SECRET_CHARS:
        yield AuditFinding(
            check_id=f"channels.{channel.name}.token_too_short",
            severity="warn",
            title=f"The token of {channel.name} is short",
            detail=f"It has {channel.token_chars} characters; below {SHORT_SECRET_CHARS} it can be guessed.",
            remediation=remedy,
        )


def _group_scope(path: str) -> AuditFinding:
    return AuditFinding(
        check_id="security.trust_model.group_scope_main",
        severity="warn",
        title="Groups share the main session",
        detail=f'{path} is "main": what you say alone may be answered in a group, and the other way round.',
        remediation=build_set(path, "per-group"),
    )


def _signals(channel: ChannelFacts) -> Iterator[str]:
    """What suggests that several people use this gateway."""
    access = channel.access
    if access.dm_policy == "open":
        yield f'{channel.path}.dmPolicy is "open"'
    if access.group_policy == "open":
        yield f'{channel.path}.groupPolicy is "open"'
    if access.allow_from.everybody:
        yield f'{channel.path}.allowFrom has "*"'
    if access.group_policy != "off" and (access.group_allow_from.everybody or channel.groups):
        yield f"groups of {channel.name} are admitted"


def _many_people(signals: list[str], suppressed: frozenset[str]) -> AuditFinding:
    known = json.dumps(sorted({*suppressed, _MANY_PEOPLE}))
    return AuditFinding(
        check_id=_MANY_PEOPLE,
        severity="warn",
        title="Several people seem to use this gateway",
        detail=(
            f"{'; '.join(signals)}. Sessions are kept apart, but the tools and the workspace of an agent are one: "
            "whoever may write to it may make it use them."
        ),
        remediation=(
            "Give people you do not trust alike an agent of their own (`bindings`). If it is meant so, say that you "
            f"know:\n{build_set('security.audit.suppressions', known)}"
        ),
    )


def _met(meeting: Meeting) -> AuditFinding:
    key, people = meeting.session_key, _some(frozenset(meeting.people))
    linked = "If they are addresses of one person, name them together in session.identityLinks."
    if meeting.is_over:
        return AuditFinding(
            check_id="sessions.direct_messages_met_before",
            severity="warn",
            title=f"Direct messages of {len(meeting.people)} people met in closed transcripts of one session",
            detail=f"Closed transcripts of {key} hold what {people} wrote one-to-one; a resume would bring it back.",
            remediation=f"instar sessions show {shlex.quote(key)} --history\n{linked}",
        )
    return AuditFinding(
        check_id="sessions.direct_messages_met",
        severity="critical",
        title=f"Direct messages of {len(meeting.people)} people met in one session",
        detail=f"{key} holds what {people} wrote one-to-one.",
        remediation=(
            f"{build_set('session.dmScope', 'per-channel-peer')}\ninstar sessions reset {shlex.quote(key)}\n{linked}"
        ),
    )


def _some(people: frozenset[str]) -> str:
    named = sorted(people)
    more = f" and {len(named) - _SHOWN} more" if len(named) > _SHOWN else ""
    return ", ".join(named[:_SHOWN]) + more
