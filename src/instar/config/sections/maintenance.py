"""`session.maintenance`: what is kept for how long, and in how much space (MAINT-1, MAINT-2, MAINT-16)."""

from __future__ import annotations

from collections.abc import Mapping

from instar.config.read import read_object
from instar.core.lifecycle.maintenance import MaintenanceSettings
from instar.core.model.quantity import parse_duration_ms, parse_size_bytes

__all__ = ["parse_maintenance"]

_HIGH_WATER_PERCENT = 80
"""Where an eviction for space ends if nobody says otherwise, of the limit (MAINT-1)."""


def parse_maintenance(root: Mapping[str, object]) -> MaintenanceSettings:
    """The maintenance settings of a whole configuration whose aliases are applied.

    A bare number is days, or bytes. What cannot be used is the default (MAINT-2); an age of zero, which would take
    everything, cannot be used either. `false` and 0 switch off what may be off.
    """
    fields = read_object(read_object(root.get("session"), "session").get("maintenance"), "session.maintenance")
    default = MaintenanceSettings()
    mode = fields.get("mode")
    max_disk_bytes = parse_size_bytes(fields.get("maxDiskBytes")) or None
    return MaintenanceSettings(
        mode="enforce" if isinstance(mode, str) and mode.strip().lower() == "enforce" else "warn",
        prune_after_ms=_days(fields.get("pruneAfter")) or default.prune_after_ms,
        max_entries=_count(fields.get("maxEntries")) or default.max_entries,
        preserve_recent_ms=_days(fields.get("preserveRecent")) or None,
        archive_dashboard_after_ms=_optional_days(fields, "archiveDashboardAfter", default.archive_dashboard_after_ms),
        archive_retention_ms=_days(fields.get("resetArchiveRetention")) or None,
        max_disk_bytes=max_disk_bytes,
        high_water_bytes=_high_water(fields.get("highWaterBytes"), max_disk_bytes),
    )


def _days(value: object) -> int | None:
    return parse_duration_ms(value, bare_unit="d")


def _optional_days(fields: Mapping[str, object], name: str, default: int | None) -> int | None:
    """The window at `name`; None where it is switched off, `default` where nothing usable is said."""
    value = fields.get(name)
    window = _days(value)
    if value is False or window == 0:
        return None
    return default if window is None else window


def _count(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 1 <= value < float("inf"):
        return None
    return int(value)


def _high_water(value: object, max_disk_bytes: int | None) -> int | None:
    """Where an eviction ends: as configured, but not above the limit; None without a limit."""
    if max_disk_bytes is None:
        return None
    given = parse_size_bytes(value)
    return max_disk_bytes * _HIGH_WATER_PERCENT // 100 if given is None else min(given, max_disk_bytes)
