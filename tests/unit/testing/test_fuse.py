"""The fuse stops a gateway at every write to its store, and at no question."""

import ast
import asyncio
import inspect

import pytest

from instar.core.model.ids import DeliveryId, Instant
from instar.ports.store import Store
from instar.stores.store import SessionStore
from instar.testing.fuse import WRITES, Fuse, fuse_store
from tests.builders.store import NOW, SessionTalk, build_message, memory_store
from tests.builders.stories import until


def verbs_that_write() -> set[str]:
    """The methods of the store that hand a unit to the engine's writer, as its source says."""
    (tree,) = ast.parse(inspect.getsource(SessionStore)).body
    return {
        method.name
        for method in tree.body
        if isinstance(method, ast.AsyncFunctionDef)
        and any(isinstance(node, ast.Attribute) and node.attr == "write" for node in ast.walk(method))
    }


def test_every_verb_of_the_port_that_commits_is_a_place_to_die():
    assert verbs_that_write() & set(dir(Store)) == WRITES


@pytest.mark.parametrize("at", [1, 2])
def test_a_fused_write_dies_before_it_or_after_it(at):
    async def story():
        async with memory_store()() as store:
            talk = SessionTalk(store)
            await talk.begin(build_message(1, None))
            fuse = Fuse(at=at)
            dying = SessionTalk(fuse_store(store, fuse))
            work = asyncio.ensure_future(dying.append(build_message(2, 1)))
            await until(lambda: fuse.has_blown)
            assert not work.done()
            work.cancel()
            return fuse.steps[-1], await talk.numbers()

    assert asyncio.run(story()) == [("before change test", [1]), ("after change test", [1, 2])][at - 1]


def test_a_question_passes_without_a_step():
    async def story():
        async with memory_store()() as store:
            fuse = Fuse()
            await fuse_store(store, fuse).load_deliveries()
            await fuse_store(store, fuse).redo_delivery(DeliveryId("none"), now=Instant(NOW), decide=lambda row: None)
            return fuse.steps

    assert asyncio.run(story()) == ["before redo_delivery", "after redo_delivery"]
