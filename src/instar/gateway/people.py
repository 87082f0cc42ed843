"""What an operator asks about one person: what is held, a copy of it, and that it goes (LEAK-11).

An erasure must not meet a turn that writes: every session that the person takes part in is shut and its lane emptied
first, and stays so until the receipt. What their lanes kept warm is forgotten then; their tokens end before. Nor must
it meet a message: from its begin to its end nothing that the person writes is taken in, wherever they write it, and no
client changes a session of theirs or names them. A copy of what is held is made before it or after it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

import structlog

from instar.core.model.ids import SessionKey
from instar.core.model.people import ErasureReceipt, ExportedPerson, Person, PersonRow
from instar.core.routing.key import parse_key
from instar.core.routing.person import PersonTest, resolve_person_named
from instar.errors import InvalidRequest, StoreError
from instar.gateway.doors import Fence, Visit
from instar.gateway.incognito import find_incognito_of
from instar.gateway.lane import LaneBook
from instar.gateway.parts import GatewayParts
from instar.gateway.tokens import Tokens
from instar.gateway.turn_services import TurnServices

__all__ = ["GO_ON_S", "People"]

GO_ON_S: Final = 60.0
"""How long an erasure that was cut rests: what cut it, a full disk mostly, lasts a while."""

log = structlog.get_logger(__name__)


class People:
    """The people of one gateway."""

    def __init__(self, parts: GatewayParts, services: TurnServices, lanes: LaneBook, tokens: Tokens) -> None:
        self._parts = parts
        self._services = services
        self._lanes = lanes
        self._tokens = tokens
        self._one_at_a_time = services.doors.one_at_a_time
        self._cut: dict[Person, Fence] = {}
        self._has_cut = asyncio.Event()

    async def list(self, *, limit: int) -> tuple[PersonRow, ...]:
        """Everybody whom the store knows, whoever wrote last first."""
        return await self._parts.eraser.list(limit=limit)

    async def export(self, text: str, *, name: str | None) -> ExportedPerson:
        """Write what is held about a person into the state directory. Raises `NotFound`, `InvalidRequest`."""
        person = self._name(text)
        async with self._one_at_a_time:
            return await self._parts.eraser.export(person, name=name, now=self._parts.clock.now())

    async def plan(self, text: str) -> ErasureReceipt:
        """What an erasure would take out. Raises `NotFound`."""
        return await self._parts.eraser.plan(self._name(text), now=self._parts.clock.now())

    async def erase(self, text: str, *, drop_backups: bool, who: str) -> ErasureReceipt:
        """Take a person out of everything that is kept. Raises `NotFound`, `Unavailable` when a turn does not end.

        What they write meanwhile is stored when it is through. One that is cut after it has begun (`StoreError`,
        OSError) is gone on with by `run_forever`; until then nothing of theirs is taken in.
        """
        person = self._name(text)
        async with self._one_at_a_time:
            return await self._erase(person, drop_backups=drop_backups, who=who)

    # --- erasures that were cut ---------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Before any message comes: keep out whoever's erasure the start could not finish."""
        for person in await self._parts.eraser.list_cut():
            self._leave(person, await self._services.doors.keep_out(self._test(person)))

    async def run_forever(self) -> None:
        """Go on now and then with erasures that were cut; never raises."""
        while True:
            await self._has_cut.wait()
            await self._parts.clock.sleep(GO_ON_S)
            for person in list(self._cut):
                await self._go_on(person)
            if not self._cut:
                self._has_cut.clear()

    async def _go_on(self, person: Person) -> None:
        """Once more, unless somebody else has finished it: what they have written since then is not to go."""
        try:
            async with self._one_at_a_time:
                if person not in self._cut:
                    return
                if _is_among(person, await self._parts.eraser.list_cut()):
                    await self._erase(person, drop_backups=False, who="gateway")
                else:
                    self._services.doors.lift(self._cut.pop(person))
        except Exception:
            # A job boundary (style, section 6): whatever it is, everybody else is served meanwhile.
            log.exception("erasure_not_finished")

    def _leave(self, person: Person, fence: Fence) -> None:
        fence.leave()
        self._cut[person] = fence
        self._has_cut.set()

    async def _is_cut(self, person: Person) -> bool:
        """Whether an erasure of theirs was begun and is not through; True where nobody can tell."""
        try:
            return _is_among(person, await self._parts.eraser.list_cut())
        except StoreError:
            return True

    # --- one erasure --------------------------------------------------------------------------------------------------

    async def _erase(self, person: Person, *, drop_backups: bool, who: str) -> ErasureReceipt:
        held: set[SessionKey] = set()
        async with self._keep_out(person), AsyncExitStack() as stack:
            await self._end_tokens(person, who=who)
            await self._forget_incognito(person, held, stack)
            receipt = None
            while receipt is None:
                for key in sorted(await self._parts.eraser.find_keys(person) - held):
                    await stack.enter_async_context(self._hold(key))
                    held.add(key)
                receipt = await self._parts.eraser.erase(
                    person, within=frozenset(held), now=self._parts.clock.now(), who=who, drop_backups=drop_backups
                )
            for key in held:
                self._lanes.warm(key).forget()
        await self._tell(held)
        return receipt

    async def _forget_incognito(self, person: Person, held: set[SessionKey], stack: AsyncExitStack) -> None:
        """Delete what is in memory alone, whole: no file tells of it, and files are what an eraser knows (KEY-22)."""
        store = self._parts.store
        for key in sorted(await find_incognito_of(store, self._person_test(person))):
            await stack.enter_async_context(self._hold(key))
            held.add(key)
            await store.delete_session(key, now=self._parts.clock.now(), decisions=())

    @asynccontextmanager
    async def _keep_out(self, person: Person) -> AsyncIterator[None]:
        """While nothing of a person is taken in: until their erasure is through, or has not even begun."""
        fence = self._cut.pop(person, None)
        if fence is None:
            fence = await self._services.doors.keep_out(self._test(person))
        else:
            fence.take_up()
        try:
            yield
        except BaseException:
            # What they wrote after a cut would go too when the erasure goes on.
            if await self._is_cut(person):
                self._leave(person, fence)
                raise
            self._services.doors.lift(fence)
            raise
        self._services.doors.lift(fence)

    def _test(self, person: Person) -> Callable[[Visit], bool]:
        """Tells what an erasure of the person would take: messages of theirs, and what goes to sessions of theirs."""
        test = self._person_test(person)

        def is_theirs(visit: Visit) -> bool:
            if visit.submission is not None and test.wrote(visit.submission):
                return True
            if any(test.is_principal(one) for one in visit.people):
                return True
            owners = {visit.source: None, visit.key: visit.owner}
            return any(test.owns(key, owners[key]) for key in visit.keys)

        return is_theirs

    def _person_test(self, person: Person) -> PersonTest:
        return PersonTest(person=person, links=self._parts.config().routing.keys.links)

    def _name(self, text: str) -> Person:
        person = resolve_person_named(text, self._parts.config().routing.keys.links)
        if person is None:
            raise InvalidRequest("A person has an id", fix="Name them as `people.list` does.", field="id")
        return person

    @asynccontextmanager
    async def _hold(self, key: SessionKey) -> AsyncIterator[None]:
        """While nothing happens in a session: its door is shut, its lane has dropped what it had, and waits."""
        begun, ended = asyncio.Event(), asyncio.Event()

        async def wait() -> None:
            begun.set()
            await ended.wait()

        async def stop() -> None:
            # Found and asked in one go: an idle lane may be gone a turn of the loop later, and would never answer.
            await self._lanes.get(key).perform(wait, cause="delete")

        async with self._services.doors.shut(key):
            stopped = asyncio.ensure_future(stop())
            waiting = asyncio.ensure_future(begun.wait())
            try:
                await asyncio.wait((stopped, waiting), return_when=asyncio.FIRST_COMPLETED)
                if stopped.done():
                    stopped.result()  # the lane could not be emptied, and says why
                yield
            finally:
                waiting.cancel()
                ended.set()
                await asyncio.gather(stopped, return_exceptions=True)

    async def _end_tokens(self, person: Person, *, who: str) -> None:
        """End every token of the person, so that whoever came in by one is sent away."""
        test = self._person_test(person)
        for token in await self._tokens.list():
            if test.is_principal(token.principal) and token.revoked_at is None:
                await self._tokens.revoke(token.id, who=who)

    async def _tell(self, keys: set[SessionKey]) -> None:
        """Tell clients which sessions are gone, and which are not as they were."""
        for key in sorted(keys):
            session = await self._parts.store.load_session(key)
            if session is None:
                self._services.tell_deleted(key, parse_key(key).agent_id or self._parts.config().agents.default_id)
            else:
                self._services.tell_session(session, "patch")


def _is_among(person: Person, people: Sequence[Person]) -> bool:
    """Whether somebody is one of these, with all the ids that those had."""
    return any(one.principals <= person.principals for one in people)
