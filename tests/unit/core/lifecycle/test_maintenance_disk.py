"""What goes when space runs out (MAINT-16, MAINT-17, MAINT-19)."""

from __future__ import annotations

import pytest

from instar.core.lifecycle.maintenance import (
    DAY_MS,
    MaintenanceFacts,
    MaintenanceRow,
    MaintenanceSettings,
    plan_maintenance,
)
from instar.core.lifecycle.maintenance_disk import DiskFacts, DiskFile, DiskPlan, plan_disk
from instar.core.model.ids import Instant, SessionKey

NOW = Instant(1_800_000_000_000)


def row(name, days, size=100, **fields):
    return MaintenanceRow(
        key=SessionKey(f"agent:main:{name}"), updated_at=Instant(NOW - days * DAY_MS), size_bytes=size, **fields
    )


def file(name, kind, days, size=100):
    return DiskFile(name=name, kind=kind, size_bytes=size, modified_at=Instant(int(NOW - days * DAY_MS)))


def plan(rows=(), files=(), used=1000, trigger="cleanup-enforce", **settings):
    rules = MaintenanceSettings(**settings)
    facts = MaintenanceFacts(rows=tuple(rows), now=NOW, trigger=trigger)
    return plan_disk(plan_maintenance(rules, facts), rules, facts, DiskFacts(used_bytes=used, files=tuple(files)))


def names(disk):
    return [(each.name, each.rule) for each in disk.files]


def test_without_a_limit_nothing_goes_for_space():
    made, disk = plan([row("direct:a", 1)], [file("x", "archive", 400)])
    assert (made.changes, disk) == ((), DiskPlan(files=(), before_bytes=1000, after_bytes=1000))


def test_below_the_limit_nothing_goes_for_space():
    _, disk = plan([row("direct:a", 1)], used=500, max_disk_bytes=500, high_water_bytes=400)
    assert (disk.after_bytes, disk.over) == (500, False)


@pytest.mark.parametrize(
    ("trigger", "gone"),
    [
        ("cleanup", [("old.orphan", "MAINT-17"), ("old.tmp", "MAINT-17"), ("old.archive", "MAINT-19")]),
        ("write", [("old.archive", "MAINT-19")]),
    ],
)
def test_leftovers_go_by_their_age(trigger, gone):
    files = [
        file("old.orphan", "orphan", 31),
        file("new.orphan", "orphan", 30),
        file("old.tmp", "temporary", 0.01),
        file("new.tmp", "temporary", 0.001),
        file("old.archive", "archive", 8),
        file("new.archive", "archive", 7),
    ]
    _, disk = plan((), files, trigger=trigger, archive_retention_ms=7 * DAY_MS)
    assert names(disk) == gone
    assert disk.after_bytes == 1000 - 100 * len(gone)


def test_over_the_limit_the_oldest_archives_and_orphans_go_first_and_only_until_the_mark():
    files = [file("b", "orphan", 2), file("a", "archive", 3), file("c", "archive", 1), file("t", "temporary", 0)]
    made, disk = plan([row("direct:a", 1)], files, used=1000, max_disk_bytes=900, high_water_bytes=850)
    assert names(disk) == [("a", "MAINT-16"), ("b", "MAINT-16")]
    assert (made.changes, disk.after_bytes, disk.over) == ((), 800, True)


def test_then_the_oldest_unprotected_sessions_go_with_all_their_files():
    rows = [row("direct:new", 1), row("direct:old", 3), row("main", 9), row("direct:mid", 2)]
    made, disk = plan(rows, used=1000, max_disk_bytes=900, high_water_bytes=800)
    assert made.keys_of("evict-budget") == ("agent:main:direct:old", "agent:main:direct:mid")
    assert made.removals[0].rule == "MAINT-16"
    assert disk.after_bytes == 800


def test_what_keeps_the_space_from_being_freed_is_listed():
    rows = [row("main", 9, size=900), row("direct:a", 1), row("telegram:group:1", 1)]
    made, disk = plan(rows, used=1100, max_disk_bytes=500, high_water_bytes=400)
    assert disk.after_bytes == 1000
    assert [(each.key, each.limit, each.reason) for each in made.blockers] == [
        ("agent:main:main", "max_disk_bytes", "main session"),
        ("agent:main:telegram:group:1", "max_disk_bytes", "group"),
    ]


def test_a_session_that_goes_already_is_not_evicted_again():
    made, _ = plan([row("direct:old", 40), row("direct:a", 1)], used=1000, max_disk_bytes=900, high_water_bytes=950)
    assert made.keys_of("prune-stale") == ("agent:main:direct:old",)
    assert made.keys_of("evict-budget") == ("agent:main:direct:a",)


def test_a_leftover_counts_once():
    _, disk = plan((), [file("a", "archive", 9)], archive_retention_ms=DAY_MS, max_disk_bytes=800, high_water_bytes=700)
    assert names(disk) == [("a", "MAINT-19")]
    assert disk.after_bytes == 900


@pytest.mark.parametrize(
    ("settings", "lets_go"), [({}, False), ({"archive_retention_ms": 1}, True), ({"max_disk_bytes": 1}, True)]
)
def test_a_file_of_a_closed_transcript_is_not_missed_where_such_files_are_removed(settings, lets_go):
    assert MaintenanceSettings(**settings).lets_archives_go is lets_go
