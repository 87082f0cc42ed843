"""The configuration of maintenance in its spellings (MAINT-1, MAINT-2, MAINT-16)."""

from __future__ import annotations

import pytest

from instar.config.sections.maintenance import parse_maintenance
from instar.core.lifecycle.maintenance import DAY_MS, MaintenanceSettings
from instar.errors import ConfigError


def parse(**fields):
    return parse_maintenance({"session": {"maintenance": fields}})


def test_defaults_warn_after_thirty_days_and_five_hundred_sessions():
    assert parse_maintenance({}) == MaintenanceSettings()
    default = MaintenanceSettings()
    assert (default.mode, default.prune_after_ms, default.max_entries) == ("warn", 30 * DAY_MS, 500)


def test_every_field_is_read():
    assert parse(
        mode=" Enforce ",
        pruneAfter="2w",
        maxEntries=9.5,
        preserveRecent="12h",
        archiveDashboardAfter=3,
        resetArchiveRetention="90d",
        maxDiskBytes="10gb",
        highWaterBytes="1gb",
    ) == MaintenanceSettings(
        mode="enforce",
        prune_after_ms=14 * DAY_MS,
        max_entries=9,
        preserve_recent_ms=DAY_MS // 2,
        archive_dashboard_after_ms=3 * DAY_MS,
        archive_retention_ms=90 * DAY_MS,
        max_disk_bytes=10 * 1024**3,
        high_water_bytes=1024**3,
    )


@pytest.mark.parametrize("mode", ["strict", 5, None, True])
def test_an_unknown_mode_only_warns(mode):
    assert parse(mode=mode).mode == "warn"


@pytest.mark.parametrize("value", ["later", -1, 0, "0d", False, None, []])
def test_an_age_that_cannot_be_used_is_thirty_days(value):
    assert parse(pruneAfter=value).prune_after_ms == 30 * DAY_MS


@pytest.mark.parametrize("value", [0, -5, "many", True, float("inf"), float("nan")])
def test_a_number_of_sessions_that_cannot_be_used_is_five_hundred(value):
    assert parse(maxEntries=value).max_entries == 500


@pytest.mark.parametrize(
    ("value", "window"), [(False, None), (0, None), ("0", None), ("soon", 7 * DAY_MS), (None, 7 * DAY_MS)]
)
def test_archiving_dashboards_can_be_switched_off(value, window):
    assert parse(archiveDashboardAfter=value).archive_dashboard_after_ms == window


@pytest.mark.parametrize("value", [False, 0, "0", "big", None])
def test_what_is_no_size_is_no_limit_of_space(value):
    settings = parse(maxDiskBytes=value, highWaterBytes="1gb")
    assert (settings.max_disk_bytes, settings.high_water_bytes) == (None, None)


@pytest.mark.parametrize(("mark", "expected"), [(None, 800), ("700b", 700), ("9kb", 1000), ("x", 800)])
def test_an_eviction_ends_at_four_fifths_or_where_it_says(mark, expected):
    assert parse(maxDiskBytes=1000, highWaterBytes=mark).high_water_bytes == expected


def test_what_is_no_object_is_an_error():
    with pytest.raises(ConfigError):
        parse_maintenance({"session": {"maintenance": "enforce"}})
