"""Who may write to the agent, and who may give it commands (LEAK-2, CMD-4, CMD-35).

What belongs here: the decision over one message of a person on a channel. What does not: tokens and scopes of
clients (`instar.core.policy.scopes`), and the words and the life of a pairing code (`instar.core.policy.pairing`);
this only says that one is due.

The invariant: without a word in the configuration or an approval by the owner, nobody is admitted.

A list holds people (`allowFrom`, `commands.allowFrom`, `commands.ownerAllowFrom`), or people and groups
(`groupAllowFrom`: a group's id admits everybody in it, but makes nobody authorised for commands). ``*`` stands for
everybody, but never makes an owner.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from instar.core.model.decision import Decision
from instar.core.model.ids import AccountId, ChannelName, Instant
from instar.core.model.instant import holds_at
from instar.core.model.message import ChatType
from instar.core.model.pairing import PairingCode, PairingFacts, Peer, PeerKind
from instar.core.routing.identity import parse_link_id
from instar.core.routing.normalize import KNOWN_CHANNELS, NO_NUMBERS, normalize_peer

__all__ = [
    "NOBODY",
    "NO_PAIRING",
    "PAIRING_CODE_TTL_MS",
    "PAIRING_MAX_WAITING",
    "PAIRING_REPEAT_MS",
    "Access",
    "AccessFacts",
    "AccessPolicy",
    "AccessReason",
    "AccessSettings",
    "AllowList",
    "PairingStep",
    "build_allow_list",
    "decide_access",
    "find_pairing_peer",
    "is_named_owner",
    "parse_access_policy",
]

AccessPolicy = Literal["pairing", "allowlist", "open", "off"]
"""`dmPolicy` and `groupPolicy`."""

AccessReason = Literal["open", "allowlisted", "paired", "not_paired", "not_allowlisted", "dms_off", "groups_off"]
"""Why a message is admitted (the first three) or refused."""

PairingStep = Literal["none", "offer", "repeat", "waits", "full"]
"""What an unpaired sender gets: nothing, a new code, the code that waits already once more, nothing because they were
told it a moment ago, or nothing because too many wait."""

PAIRING_CODE_TTL_MS: Final = 3_600_000
"""A pairing code expires after an hour (LEAK-2)."""

PAIRING_MAX_WAITING: Final = 3
"""At most so many codes wait per account of a channel, so that strangers cannot fill the owner's list (LEAK-2)."""

PAIRING_REPEAT_MS: Final = 600_000
"""A person who goes on writing is told their code again at most so often: strangers must not make the agent talk. A
group is told once while its code waits.
"""

_POLICIES: Final[Mapping[str, AccessPolicy]] = {
    "pairing": "pairing",
    "allowlist": "allowlist",
    "open": "open",
    "off": "off",
    "disabled": "off",
}

_EVERYBODY: Final = "*"

_SHOWN_CHARS: Final = 80
"""How much of a sender's id a hint repeats; ids come from strangers and may be of any length."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowList:
    """A list of ids for one channel, ready to be looked up; `build_allow_list` makes one.

    `people` and `groups` are the same entries, spelled as an id of either; `everybody` is True for ``*``. `is_given`
    is True if the configured list has any entry, be it for another channel.
    """

    is_given: bool = False
    everybody: bool = False
    people: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()


NOBODY: Final = AllowList()
"""An empty list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessSettings:
    """What holds for one channel.

    `command_allow_from` and `owner_allow_from` are `commands.allowFrom` and `commands.ownerAllowFrom`. `numbers` maps
    hidden WhatsApp ids to phone numbers. `path` is where the channel stands in the configuration, for hints.
    """

    channel: ChannelName
    path: str = ""
    dm_policy: AccessPolicy = "pairing"
    group_policy: AccessPolicy = "pairing"
    allow_from: AllowList = NOBODY
    group_allow_from: AllowList = NOBODY
    command_allow_from: AllowList = NOBODY
    owner_allow_from: AllowList = NOBODY
    numbers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessFacts:
    """Who writes where. `chat_id` is the group or room; in a direct chat it does not matter.

    `is_addressed` says that the message is meant for the agent: only then an unknown group is told a code.
    """

    chat_type: ChatType
    sender_id: str
    chat_id: str = ""
    is_addressed: bool = True


NO_PAIRING: Final = PairingFacts()
"""Nobody was approved and no codes are given out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """The answer. `authorised_for_commands` and `is_owner` are False for whoever is not admitted.

    `hint` says which setting would admit the sender; empty if the sender is admitted. `pairing` says what becomes
    of a pairing code, and `waiting` is the code that waits already (steps `repeat` and `waits`).
    """

    admitted: bool
    reason: AccessReason
    authorised_for_commands: bool = False
    is_owner: bool = False
    rule: str = "LEAK-2"
    hint: str = ""
    pairing: PairingStep = "none"
    waiting: PairingCode | None = None

    def as_decision(self, facts: AccessFacts) -> Decision:
        """The record of this decision (WHY-1)."""
        return Decision(
            kind="access",
            outcome="admitted" if self.admitted else "refused",
            rule=self.rule,
            inputs={
                "reason": self.reason,
                "chat": facts.chat_type,
                "authorised": self.authorised_for_commands,
                "owner": self.is_owner,
                "pairing": self.pairing,
            },
        )


def build_allow_list(
    entries: Sequence[str],
    *,
    channel: ChannelName,
    known_channels: frozenset[str] = KNOWN_CHANNELS,
    numbers: Mapping[str, str] = NO_NUMBERS,
) -> AllowList:
    """`entries` as they hold on `channel`: an id of another known channel names nobody here (LINK-4, NORM-4…8).

    Without that, ``telegram:15551234567`` in a list for all channels would name a phone number on WhatsApp.
    """
    texts = [entry.strip() for entry in entries]
    links = [parse_link_id(text, known_channels) for text in texts if text and text != _EVERYBODY]
    here = [link.peer_id for link in links if link.channel in {None, channel}]
    people = {normalize_peer(channel, kind="direct", peer_id=each, numbers=numbers) for each in here}
    groups = {normalize_peer(channel, kind="group", peer_id=each) for each in here}
    return AllowList(
        is_given=any(texts),
        everybody=_EVERYBODY in texts,
        people=frozenset(people - {""}),
        groups=frozenset(groups - {""}),
    )


def parse_access_policy(value: object) -> AccessPolicy | None:
    """The policy that a word means, case and blanks ignored; ``disabled`` is ``off``. None for anything else."""
    return _POLICIES.get(value.strip().lower()) if isinstance(value, str) else None


def decide_access(
    settings: AccessSettings, facts: AccessFacts, *, now: Instant, pairing: PairingFacts = NO_PAIRING
) -> Access:
    """Whether this person may write here, give commands, and is an owner (LEAK-2, CMD-35)."""
    is_direct = facts.chat_type == "direct"
    policy = settings.dm_policy if is_direct else settings.group_policy
    if policy == "off":
        return _refuse(settings, facts, reason="dms_off" if is_direct else "groups_off")
    reason = _decide_direct(settings, facts, pairing) if is_direct else _decide_group(settings, facts, pairing)
    if reason is None and policy == "open":
        reason = "open"
    if reason == "paired" and policy == "allowlist":
        reason = None
    if reason is not None:
        return Access(
            admitted=True,
            reason=reason,
            authorised_for_commands=is_direct or _may_command_in_group(settings, facts),
            is_owner=_is_owner(settings, facts, pairing),
        )
    if policy == "allowlist":
        return _refuse(settings, facts, reason="not_allowlisted")
    return _refuse_unpaired(settings, facts, pairing, now=now)


def find_pairing_peer(settings: AccessSettings, facts: AccessFacts, *, account_id: AccountId) -> Peer | None:
    """The person or group whose approval counts for this message; None where no approval can change the answer."""
    is_direct = facts.chat_type == "direct"
    policy = settings.dm_policy if is_direct else settings.group_policy
    kind, peer_id = _name_peer(settings, facts)
    if not peer_id or policy == "off" or (policy != "pairing" and not is_direct):
        return None
    return Peer(channel=settings.channel, account_id=account_id, kind=kind, peer_id=peer_id)


def is_named_owner(settings: AccessSettings, sender_id: str) -> bool:
    """Whether `commands.ownerAllowFrom` names this sender: an approval never makes such an owner (LEAK-5)."""
    return _spell(settings, sender_id) in settings.owner_allow_from.people


# --- parts ------------------------------------------------------------------------------------------------------------


def _decide_direct(settings: AccessSettings, facts: AccessFacts, pairing: PairingFacts) -> AccessReason | None:
    """Why a sender is admitted whatever the policy; None if nothing names them."""
    if _names(settings.allow_from, _spell_sender(settings, facts)):
        return "allowlisted"
    return "paired" if _spell_sender(settings, facts) in pairing.people else None


def _decide_group(settings: AccessSettings, facts: AccessFacts, pairing: PairingFacts) -> AccessReason | None:
    """Why a group, or this sender in it, is admitted whatever the policy; None if nothing names them."""
    group = _spell_group(settings, facts)
    if _names(settings.group_allow_from, _spell_sender(settings, facts)) or group in settings.group_allow_from.groups:
        return "allowlisted"
    return "paired" if group in pairing.groups else None


def _may_command_in_group(settings: AccessSettings, facts: AccessFacts) -> bool:
    sender = _spell_sender(settings, facts)
    lists = (settings.group_allow_from, settings.allow_from, settings.command_allow_from, settings.owner_allow_from)
    return any(_names(entries, sender) for entries in lists)


def _is_owner(settings: AccessSettings, facts: AccessFacts, pairing: PairingFacts) -> bool:
    """Whether the sender owns this gateway (CMD-35). Being let in by `open` or ``*`` never suffices."""
    sender = _spell_sender(settings, facts)
    if settings.owner_allow_from.is_given:
        return sender in settings.owner_allow_from.people
    return facts.chat_type == "direct" and (sender in settings.allow_from.people or sender in pairing.people)


def _names(entries: AllowList, sender: str) -> bool:
    return entries.everybody or sender in entries.people


def _spell_sender(settings: AccessSettings, facts: AccessFacts) -> str:
    """The sender in the one spelling of the channel, empty if unknown. No list holds an empty id."""
    return _spell(settings, facts.sender_id)


def _spell(settings: AccessSettings, sender_id: str) -> str:
    return normalize_peer(settings.channel, kind="direct", peer_id=sender_id, numbers=settings.numbers or NO_NUMBERS)


def _name_peer(settings: AccessSettings, facts: AccessFacts) -> tuple[PeerKind, str]:
    """Who would have to be approved: the person, or the group or room. The id is empty if it is not known."""
    if facts.chat_type == "direct":
        return "direct", _spell_sender(settings, facts)
    return "group", _spell_group(settings, facts)


def _spell_group(settings: AccessSettings, facts: AccessFacts) -> str:
    return normalize_peer(settings.channel, kind="group", peer_id=facts.chat_id)


def _refuse(settings: AccessSettings, facts: AccessFacts, *, reason: AccessReason) -> Access:
    return Access(admitted=False, reason=reason, hint=_build_hint(settings, facts))


def _refuse_unpaired(settings: AccessSettings, facts: AccessFacts, pairing: PairingFacts, *, now: Instant) -> Access:
    hint = _build_hint(settings, facts)
    kind, peer_id = _name_peer(settings, facts)
    if not pairing.enabled or not peer_id or (kind == "group" and not facts.is_addressed):
        return Access(admitted=False, reason="not_paired", hint=hint)
    alive = _alive(pairing.waiting, now)
    mine = next((code for code in alive if (code.peer.kind, code.peer.peer_id) == (kind, peer_id)), None)
    step: PairingStep = "offer"
    if mine is not None:
        # A group is told once. A clock that was set back must not keep a person's code from being repeated.
        is_recent = 0 <= now - mine.told_at < PAIRING_REPEAT_MS
        step = "waits" if kind == "group" or is_recent else "repeat"
    elif len(alive) + len(_alive(pairing.elsewhere, now)) >= PAIRING_MAX_WAITING:
        step = "full"
    return Access(admitted=False, reason="not_paired", hint=hint, pairing=step, waiting=mine)


def _alive(codes: Sequence[PairingCode], now: Instant) -> list[PairingCode]:
    return [code for code in codes if holds_at(now, since=code.created_at, until=code.expires_at)]


def _build_hint(settings: AccessSettings, facts: AccessFacts) -> str:
    """The setting that would admit this sender, ready to be looked up in the configuration."""
    path = settings.path or f"channels.{settings.channel}"
    if facts.chat_type == "direct":
        policy, entries, who = "dmPolicy", "allowFrom", facts.sender_id
    else:
        policy, entries, who = "groupPolicy", "groupAllowFrom", facts.chat_id or facts.sender_id
    who = who.strip()[:_SHOWN_CHARS]
    ways = f'add "{who}" to {path}.{entries}' if who else f"fill {path}.{entries}"
    is_off = (settings.dm_policy if facts.chat_type == "direct" else settings.group_policy) == "off"
    return f'Set {path}.{policy} to "allowlist" and {ways}.' if is_off else f"To admit this sender, {ways}."
