import asyncio

import pytest

from instar.api.idempotency import KEPT, KEPT_S, Results
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


def test_a_caller_has_so_many_results_and_no_others_room():
    async def story():
        results, counter = Results(ManualClock()), Counter()
        assert await results.once(("b", "m", "0"), counter) == 1
        for number in range(KEPT.all + KEPT.each):
            await results.once(("a", "m", str(number)), counter)
        count = KEPT.all + KEPT.each + 1
        assert await results.once(("b", "m", "0"), counter) == 1, "nobody else pushes it out"
        assert await results.once(("a", "m", "0"), counter) == count + 1, "its own later ones do"
        assert await results.once(("a", "m", str(count - 2)), counter) == count

    asyncio.run(story())


def test_callers_together_have_so_many_and_whoever_has_most_gives_way():
    async def story():
        results, counter = Results(ManualClock()), Counter()
        await results.once(("one", "m", "0"), counter)
        for caller in range(KEPT.all // KEPT.each + 1):
            for number in range(KEPT.each):
                await results.once((f"c{caller}", "m", str(number)), counter)
        before = await results.once(("one", "m", "0"), counter)
        assert before == 1

    asyncio.run(story())


def test_what_is_at_work_is_not_let_go_of():
    async def story():
        results, counter, gate = Results(ManualClock()), Counter(), asyncio.Event()

        async def slow():
            await gate.wait()
            return "slow"

        first = asyncio.ensure_future(results.once(("a", "m", "slow"), slow))
        await asyncio.sleep(0)
        for number in range(KEPT.each + 1):
            await results.once(("a", "m", str(number)), counter)
        again = asyncio.ensure_future(results.once(("a", "m", "slow"), counter))
        await asyncio.sleep(0)
        gate.set()
        assert (await first, await again) == ("slow", "slow")

    asyncio.run(story())
