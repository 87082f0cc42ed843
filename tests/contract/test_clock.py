"""Every clock keeps the same promises, the shipped twin included."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from instar.errors import ConfigError
from instar.ports.clock import Clock
from instar.system.clock import SystemClock, find_host_zone
from instar.testing.clock import ManualClock


@pytest.fixture(params=[SystemClock, lambda: ManualClock(auto_advance_s=0)], ids=["system", "manual"])
def clock(request: pytest.FixtureRequest) -> Clock:
    made: Clock = request.param()
    return made


def test_the_wall_clock_is_in_epoch_milliseconds(clock: Clock) -> None:
    now = clock.now()
    assert isinstance(now, int)
    assert datetime.fromtimestamp(now / 1000, tz=UTC).year in range(2025, 2100)


def test_the_stopwatch_never_goes_back(clock: Clock) -> None:
    readings = [clock.monotonic() for _ in range(100)]
    assert readings == sorted(readings)


def test_sleep_lasts_at_least_that_long_by_the_stopwatch(clock: Clock) -> None:
    async def scenario() -> float:
        before = clock.monotonic()
        await clock.sleep(0.005)
        return clock.monotonic() - before

    assert asyncio.run(scenario()) >= 0.005 * 0.99  # timers of the event loop round to their own resolution


@pytest.mark.parametrize("seconds", [0, -3])
def test_a_sleep_of_nothing_lets_others_run_once(clock: Clock, seconds: float) -> None:
    async def scenario() -> list[str]:
        seen: list[str] = []
        asyncio.get_running_loop().call_soon(seen.append, "other")
        await clock.sleep(seconds)
        return seen

    assert asyncio.run(scenario()) == ["other"]


def test_shorter_sleeps_end_first_and_a_cancelled_one_ends_alone(clock: Clock) -> None:
    async def scenario() -> list[str]:
        ended: list[str] = []

        async def sleeper(name: str, seconds: float) -> None:
            await clock.sleep(seconds)
            ended.append(name)

        tasks = [asyncio.create_task(sleeper(*each)) for each in (("late", 0.02), ("never", 0.01), ("soon", 0.005))]
        await asyncio.sleep(0)
        tasks[1].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return ended

    assert asyncio.run(scenario()) == ["soon", "late"]


def test_the_zone_tells_an_offset(clock: Clock) -> None:
    assert datetime.fromtimestamp(clock.now() / 1000, tz=clock.zone()).utcoffset() is not None


# --- the system clock: which zone -------------------------------------------------------------------------------------


def test_the_system_clock_agrees_with_the_host() -> None:
    assert abs(SystemClock().now() - time.time() * 1000) < 1000


def test_a_zone_given_to_the_system_clock_wins() -> None:
    assert SystemClock(ZoneInfo("Asia/Tokyo")).zone() == ZoneInfo("Asia/Tokyo")


@pytest.mark.parametrize("value", ["Europe/Berlin", ":Europe/Berlin", " Europe/Berlin ", "posix/Europe/Berlin"])
def test_tz_names_the_zone(value: str) -> None:
    assert str(find_host_zone({"TZ": value})) == "Europe/Berlin"


@pytest.mark.parametrize("value", ["", ":"])
def test_an_empty_tz_is_utc(value: str) -> None:
    assert find_host_zone({"TZ": value}) is UTC


def test_tz_may_be_a_posix_rule_with_summer_time() -> None:
    zone = find_host_zone({"TZ": "XYZ-2XST,M3.5.0/2,M10.5.0/3"})
    winter, summer = datetime(2026, 1, 15, tzinfo=zone), datetime(2026, 7, 15, tzinfo=zone)
    assert [winter.isoformat()[-6:], summer.isoformat()[-6:]] == ["+02:00", "+03:00"]


def test_tz_may_be_a_zone_file(tmp_path: Path) -> None:
    file = _zone_file(tmp_path / "zoneinfo" / "Europe" / "Berlin")
    assert str(find_host_zone({"TZ": str(file)})) == "Europe/Berlin"


@pytest.mark.parametrize("value", ["Middle/Earth", "/no/such/file", "ünknown", "../../etc/passwd", "Europe"])
def test_a_tz_that_means_nothing_is_refused_with_a_way_out(value: str) -> None:
    with pytest.raises(ConfigError, match="TZ=") as caught:
        find_host_zone({"TZ": value})
    assert "Europe/Berlin" in caught.value.fix


def test_the_link_behind_localtime_names_the_zone(tmp_path: Path) -> None:
    link = tmp_path / "localtime"
    link.symlink_to("/usr/share/zoneinfo/America/New_York")
    assert str(find_host_zone({}, localtime=link, timezone_name=tmp_path / "none")) == "America/New_York"


def test_a_relative_link_behind_localtime_is_followed(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    link = tmp_path / "etc" / "localtime"
    link.symlink_to("../usr/share/zoneinfo/Asia/Tokyo")
    assert str(find_host_zone({}, localtime=link, timezone_name=tmp_path / "none")) == "Asia/Tokyo"


def test_a_copied_localtime_is_named_by_the_timezone_file(tmp_path: Path) -> None:
    _zone_file(tmp_path / "localtime")
    (tmp_path / "timezone").write_text("Europe/Berlin\n")
    zone = find_host_zone({}, localtime=tmp_path / "localtime", timezone_name=tmp_path / "timezone")
    assert str(zone) == "Europe/Berlin"


def test_a_copied_localtime_without_a_name_still_counts(tmp_path: Path) -> None:
    file = _zone_file(tmp_path / "localtime")
    zone = find_host_zone({}, localtime=file, timezone_name=tmp_path / "none")
    assert datetime(2026, 7, 1, tzinfo=zone).isoformat().endswith("+02:00")


def test_a_host_that_says_nothing_is_in_utc(tmp_path: Path) -> None:
    (tmp_path / "localtime").write_bytes(b"no zone file")
    (tmp_path / "timezone").write_bytes(b"\xff\xfe")
    assert find_host_zone({}, localtime=tmp_path / "none", timezone_name=tmp_path / "none") is UTC
    assert find_host_zone({}, localtime=tmp_path / "localtime", timezone_name=tmp_path / "timezone") is UTC


# --- the manual clock -------------------------------------------------------------------------------------------------


def test_the_manual_clock_stands_still_until_it_is_moved() -> None:
    clock = ManualClock(1_000)
    assert (clock.now(), clock.monotonic()) == (1_000, 0.0)
    clock.advance(1.5)
    assert (clock.now(), clock.monotonic()) == (2_500, 1.5)


def test_a_jump_moves_the_wall_clock_alone() -> None:
    clock = ManualClock(5_000)
    clock.advance(1)
    clock.jump(2_000)
    assert (clock.now(), clock.monotonic()) == (2_000, 1.0)
    clock.advance(1)
    assert clock.now() == 3_000


def test_the_zone_of_a_manual_clock_can_change() -> None:
    clock = ManualClock(zone=ZoneInfo("Asia/Tokyo"))
    assert str(clock.zone()) == "Asia/Tokyo"
    clock.set_zone(UTC)
    assert clock.zone() is UTC


def test_run_for_wakes_a_task_as_often_as_it_sleeps_and_at_its_own_deadline() -> None:
    async def scenario() -> list[int]:
        clock, seen = ManualClock(0), []

        async def ticker() -> None:
            while True:
                await clock.sleep(10)
                seen.append(clock.now())

        task = asyncio.create_task(ticker())
        await clock.run_for(35)
        assert (clock.now(), clock.sleepers) == (35_000, 1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert clock.sleepers == 0
        return seen

    assert asyncio.run(scenario()) == [10_000, 20_000, 30_000]


def test_advance_wakes_whoever_is_due() -> None:
    async def scenario() -> int:
        clock = ManualClock(0)
        task = asyncio.create_task(clock.sleep(10))
        await asyncio.sleep(0)
        clock.advance(9)
        await asyncio.sleep(0)
        assert not task.done()
        clock.advance(1)
        await task
        return clock.now()

    assert asyncio.run(scenario()) == 10_000


def test_an_automatic_clock_leaps_from_deadline_to_deadline() -> None:
    async def scenario() -> tuple[list[int], int]:
        clock, seen = ManualClock(0, auto_advance_s=0), []

        async def sleeper(seconds: float) -> None:
            await clock.sleep(seconds)
            seen.append(clock.now())

        await asyncio.gather(sleeper(3600), sleeper(60), sleeper(86_400))
        return seen, clock.now()

    assert asyncio.run(scenario()) == ([60_000, 3_600_000, 86_400_000], 86_400_000)


def _zone_file(path: Path) -> Path:
    """A compiled zone with Berlin's rule, made here so that no host file is needed."""
    import struct

    header = struct.pack(">4sc15x6l", b"TZif", b"2", 0, 0, 0, 0, 1, 1)
    block = header + struct.pack(">lbb", 3600, 0, 0) + b"\0"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(block * 2 + b"\nCET-1CEST,M3.5.0,M10.5.0/3\n")
    return path
