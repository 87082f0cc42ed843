import asyncio

import pytest

from instar.api.idempotency import KEPT_MAX, KEPT_S, Results
from instar.errors import Unavailable
from instar.testing.clock import ManualClock


class Counter:
    def __init__(self, fail: int = 0):
        self.calls = 0
        self.fail = fail

    async def __call__(self):
        self.calls += 1
        await asyncio.sleep(0)
        if self.calls <= self.fail:
            raise Unavailable("not now")
        return self.calls


def test_the_same_key_gets_the_first_result():
    async def story():
        results, counter = Results(ManualClock()), Counter()
        key = ("operator", "sessions.create", "k")
        together = await asyncio.gather(results.once(key, counter), results.once(key, counter))
        assert [*together, await results.once(key, counter)] == [1, 1, 1]

    asyncio.run(story())


def test_another_caller_method_or_key_is_another_call():
    async def story():
        results, counter = Results(ManualClock()), Counter()
        keys = [("a", "m", "k"), ("b", "m", "k"), ("a", "n", "k"), ("a", "m", "l")]
        assert [await results.once(key, counter) for key in keys] == [1, 2, 3, 4]

    asyncio.run(story())


def test_a_failure_is_told_to_all_who_wait_and_then_forgotten():
    async def story():
        results, counter = Results(ManualClock()), Counter(fail=1)
        key = ("a", "m", "k")
        told = await asyncio.gather(results.once(key, counter), results.once(key, counter), return_exceptions=True)
        assert all(isinstance(error, Unavailable) for error in told)
        assert await results.once(key, counter) == 2

    asyncio.run(story())


def test_a_cancelled_call_can_be_made_again():
    async def story():
        results = Results(ManualClock())
        never = asyncio.Event()
        first = asyncio.ensure_future(results.once(("a", "m", "k"), never.wait))
        await asyncio.sleep(0)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert await results.once(("a", "m", "k"), Counter()) == 1

    asyncio.run(story())


def test_results_are_forgotten_after_five_minutes():
    async def story():
        clock = ManualClock()
        results, counter = Results(clock), Counter()
        key = ("a", "m", "k")
        await results.once(key, counter)
        clock.advance(KEPT_S - 1)
        assert await results.once(key, counter) == 1
        clock.advance(2)
        assert await results.once(key, counter) == 2

    asyncio.run(story())


def test_at_most_so_many_results_are_kept():
    async def story():
        results, counter = Results(ManualClock()), Counter()
        for number in range(KEPT_MAX + 1):
            await results.once(("a", "m", str(number)), counter)
        assert await results.once(("a", "m", "0"), counter) == KEPT_MAX + 2
        assert await results.once(("a", "m", str(KEPT_MAX)), counter) == KEPT_MAX + 1

    asyncio.run(story())
