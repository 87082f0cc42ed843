"""Jobs of an OpenClaw directory, kept in one form for the build that will run them (CRON-1, STORE-6).

This build runs no jobs. So they are put down where the next one finds them, whatever they came from (``cron/jobs.json``
of older versions, a table of later ones): ``<state>/imported/cron/jobs.json`` holds ``{"version": 1, "jobs": [...]}``
with the fields of CRON-1, ``<state>/imported/cron/runs/<job id>.jsonl`` what each did. A job that is there already
stays as it is; a run is there once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from instar.core.routing.segment import escape_id
from instar.stores.openclaw.report import ImportItem, ItemStatus
from instar.stores.openclaw.scan import FoundState
from instar.stores.openclaw.side import read_listed
from instar.system.files import make_private_folder, replace_file

__all__ = ["JOBS", "FoundJobs", "carry_jobs", "read_job_files"]

JOBS: Final = Path("imported", "cron")
"""Where jobs wait, below the state directory."""

_FIELDS: Final = (
    *("id", "name", "description", "enabled", "agentId", "schedule", "sessionTarget", "wakeMode"),
    *("payload", "delivery", "deleteAfterRun", "createdAtMs", "updatedAtMs", "state"),
)
_KINDS: Final = frozenset({"systemEvent", "agentTurn"})
_RUN_FILE_MAX_BYTES: Final = 64 * 1024 * 1024
_NOT_IN_NAMES: Final = re.compile(r"[^a-z0-9._-]")


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundJobs:
    """The jobs of one source, and what they did."""

    source: str
    jobs: Sequence[Mapping[str, object]] = ()
    runs: Sequence[Mapping[str, object]] = ()


def read_job_files(found: FoundState) -> list[FoundJobs]:
    """The jobs of ``cron/jobs.json`` and the runs beside it. Blocking."""
    read = []
    for path in found.cron:
        source = path.relative_to(found.root).as_posix()
        if source == "cron/jobs.json":
            listed = read_listed(path, "jobs") or []
            read.append(FoundJobs(source=source, jobs=[one for one in listed if isinstance(one, dict)]))
        elif path.parent.name == "runs" and path.suffix == ".jsonl":
            read.append(FoundJobs(source=source, runs=_read_runs(path)))
    return read


def carry_jobs(found: Sequence[FoundJobs], state_dir: Path, *, is_dry_run: bool) -> list[ImportItem]:
    """Put jobs and runs down where they wait, and tell of each job. Blocking."""
    try:
        return _carry(found, state_dir, is_dry_run=is_dry_run)
    except OSError as error:
        what = f"jobs cannot be put into {state_dir / JOBS}: {error.strerror or error}"
        return [ImportItem(kind="cron", status="damaged", source=one.source, detail=what) for one in found]


def _carry(found: Sequence[FoundJobs], state_dir: Path, *, is_dry_run: bool) -> list[ImportItem]:
    place = state_dir / JOBS / "jobs.json"
    jobs = {str(job.get("id")): job for job in _read_kept(place)}
    before = len(jobs)
    items: list[ImportItem] = []
    for one in found:
        items += [_add(jobs, job, one.source, is_dry_run=is_dry_run) for job in one.jobs]
    if len(jobs) > before and not is_dry_run:
        make_private_folder(place.parent)
        replace_file(place, [msgspec.json.format(msgspec.json.encode({"version": 1, "jobs": list(jobs.values())}))])
    return items + _carry_runs(found, state_dir / JOBS / "runs", is_dry_run=is_dry_run)


def _add(
    jobs: dict[str, Mapping[str, object]], job: Mapping[str, object], source: str, *, is_dry_run: bool
) -> ImportItem:
    job_id = str(job.get("id") or "")
    payload, schedule = job.get("payload"), job.get("schedule")
    kind = payload.get("kind") if isinstance(payload, dict) else None
    is_own = "declarationKey" in job
    if is_own or not job_id or not isinstance(schedule, dict) or kind not in _KINDS:
        why = f"the job {job.get('name') or job_id!r} is one of the program itself, or is not whole; it is left there"
        return ImportItem(kind="cron", status="noted", source=source, detail=why)
    status: ItemStatus = "known" if job_id in jobs else "would-import" if is_dry_run else "imported"
    jobs.setdefault(job_id, {name: job[name] for name in _FIELDS if name in job})
    what = f"the job {job.get('name') or job_id!r} ({_tell_schedule(schedule)}) waits for a build that runs jobs"
    return ImportItem(kind="cron", status=status, source=source, detail=what)


def _tell_schedule(schedule: Mapping[str, object]) -> str:
    """When a job runs, in a few words."""
    match schedule:
        case {"kind": "at"}:
            return f"at {schedule.get('at', schedule.get('atMs'))}"
        case {"kind": "every"}:
            return f"every {schedule.get('everyMs')} ms"
        case {"kind": "cron", "expr": expr}:
            return f"{expr} {schedule.get('tz', '')}".strip()
        case _:
            return "a schedule of another kind"


def _carry_runs(found: Sequence[FoundJobs], folder: Path, *, is_dry_run: bool) -> list[ImportItem]:
    items = []
    for one in found:
        by_job: dict[str, list[Mapping[str, object]]] = {}
        for run in one.runs:
            by_job.setdefault(str(run.get("jobId") or ""), []).append(run)
        new = sum(_add_runs(folder, job_id, runs, is_dry_run=is_dry_run) for job_id, runs in by_job.items() if job_id)
        if one.runs:
            status: ItemStatus = "known" if not new else "would-import" if is_dry_run else "imported"
            what = f"{len(one.runs)} runs of jobs, {new} of them new, wait for a build that shows them"
            items.append(ImportItem(kind="cron", status=status, source=one.source, detail=what))
    return items


def _add_runs(folder: Path, job_id: str, runs: Sequence[Mapping[str, object]], *, is_dry_run: bool) -> int:
    """Add the runs that are not there yet, in the order of time; how many."""
    path = folder / f"{_NOT_IN_NAMES.sub('_', escape_id(job_id.lower()))}.jsonl"
    lines = path.read_bytes().splitlines() if path.is_file() else []
    known = set(lines)
    new = [line for run in runs if (line := msgspec.json.encode(run, order="sorted")) not in known]
    if new and not is_dry_run:
        make_private_folder(folder)
        replace_file(path, [line + b"\n" for line in sorted({*lines, *new}, key=_finished_at)])
    return len(new)


def _finished_at(line: bytes) -> tuple[float, bytes]:
    value: object = msgspec.json.decode(line)
    at = value.get("ts") if isinstance(value, dict) else None
    return (at if isinstance(at, (int, float)) else 0, line)


def _read_runs(path: Path) -> list[Mapping[str, object]]:
    """The lines of a file of runs that are objects; the file's name says whose they are where they do not."""
    if path.stat().st_size > _RUN_FILE_MAX_BYTES:
        return []
    runs: list[Mapping[str, object]] = []
    for line in path.read_bytes().splitlines():
        try:
            value: object = msgspec.json.decode(line)
        except ValueError:
            continue
        if isinstance(value, dict):
            runs.append({"jobId": path.stem, **value})
    return runs


def _read_kept(place: Path) -> list[Mapping[str, object]]:
    listed = read_listed(place, "jobs") if place.is_file() else None
    return [one for one in listed or [] if isinstance(one, dict)]
