"""Whose sessions are: the question that every way in asks before it answers (LEAK-4, LEAK-5).

The store is asked each time and nothing is kept: who is in a group changes, and so do links. Callers who see everything
are never asked about. Before the first question under a changed configuration, and after an approval was taken back,
the store forgets who was in groups that are shut to them now: every query asks its rows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

import structlog

from instar.config.config import Config
from instar.core.model.caller import Caller
from instar.core.model.event import Event, PairingResolved
from instar.core.model.ids import AgentId, ChannelName, SessionKey
from instar.core.model.message import Roster
from instar.core.policy.access import AccessFacts, decide_access
from instar.core.policy.membership import list_shut_out
from instar.core.policy.ownership import Touch, decide_touch, owns, resolve_ownership
from instar.core.routing.key import derive_session_key, parse_key
from instar.core.routing.principal import derive_home, peer_name, principal_names
from instar.gateway.doors import Doors, Visit
from instar.gateway.incognito import Beginnings
from instar.gateway.parts import GatewayParts

__all__ = ["Owners"]

log = structlog.get_logger(__name__)


class Owners:
    """The owners of one gateway's sessions."""

    def __init__(self, parts: GatewayParts, doors: Doors, beginnings: Beginnings) -> None:
        self._parts = parts
        self._beginnings = beginnings
        self._doors = doors
        self._settled_for: tuple[Config | None, int] = (None, 0)
        self._revoked = 0
        self._settling = asyncio.Lock()

    def follow(self, event: Event) -> None:
        """Take note that somebody was shut out."""
        if isinstance(event, PairingResolved) and event.decision == "revoked":
            self._revoked += 1

    def names(self, caller: Caller) -> frozenset[str] | None:
        """Every name of the caller's principal; None for a caller who sees everything."""
        if owns(caller):
            return None
        return principal_names(caller.principal or "", self._parts.config().routing.keys.links)

    def home(self, caller: Caller, agent_id: AgentId | None) -> SessionKey:
        """The session that ``main`` means for a caller with a principal."""
        config = self._parts.config()
        return derive_home(config.routing.keys, caller.principal or "", agent_id=agent_id or config.agents.default_id)

    async def touches(
        self, callers: Sequence[Caller], keys: Sequence[SessionKey]
    ) -> Mapping[SessionKey, Sequence[Touch]]:
        """For each key, whether each caller may touch its session, there or not, in the order of `callers`."""
        await self._settle()
        keys_settings = self._parts.config().routing.keys
        stored = await self._parts.store.owners.load(keys)
        names = [self.names(caller) or frozenset() for caller in callers]
        found = {}
        for key in keys:
            row = replace(stored[key], began_with=self._beginnings.find(key))
            ownership = resolve_ownership(key, row, keys_settings.links, main_key=keys_settings.main_key)
            found[key] = [
                decide_touch(caller, ownership, names=known) for caller, known in zip(callers, names, strict=True)
            ]
        return found

    async def report_members(self, roster: Roster) -> None:
        """The list of a group's people that its platform gives, for whichever agent answers there (LEAK-4).

        Raises `Unavailable` where one of them is being erased and that takes long.
        """
        links = self._parts.config().routing.keys.links
        persons = sorted({peer_name(roster.channel, one, links) for one in roster.member_ids} - {""})
        visit = Visit(key=None, people=persons, refusal="The list of members was not stored")
        async with self._doors.passing(visit):
            await self._store_members(roster, persons)

    async def _store_members(self, roster: Roster, persons: Sequence[str]) -> None:
        config, chat = self._parts.config(), roster.chat
        pairings = await self._parts.store.load_pairings()
        for agent in config.agents.all:
            key = derive_session_key(
                config.routing.keys,
                agent_id=agent.id,
                channel=roster.channel,
                kind=chat.type,
                peer_id=chat.parent_id or chat.id,
                account_id=roster.account_id,
                group_scope="per-group",
            )
            now = self._parts.clock.now()
            shut_out = set(list_shut_out(((key, one) for one in persons), config.access, pairings, now=now))
            inside = [one for one in persons if (key, one) not in shut_out]
            await self._parts.store.owners.report_members(key, inside, now=now)

    async def _settle(self) -> None:
        """Forget who was in groups that are shut to them by what holds now (LEAK-2)."""
        if self._is_settled():
            return
        async with self._settling:
            if self._is_settled():
                return
            config, revoked, store = self._parts.config(), self._revoked, self._parts.store
            members, pairings = await store.owners.list_members(), await store.load_pairings()
            gone = tuple(list_shut_out(members, config.access, pairings, now=self._parts.clock.now()))
            if gone:
                log.info("members_forgotten", members=len(gone))
                await store.owners.forget_members(gone)
            self._settled_for = (config, revoked)

    def _is_settled(self) -> bool:
        config, revoked = self._settled_for
        return config is self._parts.config() and revoked == self._revoked

    def may_command(self, caller: Caller, key: SessionKey, touch: Touch) -> bool:
        """Whether a caller who may touch a session may give commands in it (CMD-4).

        In what is theirs, yes. In a group as if they wrote there themselves: only if a list names one of their ids.
        """
        if touch.because != "member":
            return touch.allowed
        config = self._parts.config()
        parts = parse_key(key, main_key=config.routing.keys.main_key)
        channel = parts.channel or ChannelName("")
        # That the caller is in the group is settled; only the lists of people are asked.
        access = replace(config.access(channel), group_policy="open")
        ids = [name.removeprefix(f"{channel}:") for name in self.names(caller) or () if name.startswith(f"{channel}:")]
        facts = [AccessFacts(chat_type="group", sender_id=one, chat_id=parts.peer_id or "") for one in ids]
        now = self._parts.clock.now()
        return any(decide_access(access, one, now=now).authorised_for_commands for one in facts)
