"""`instar backup`: create, verify, restore (LOSS-12)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from instar.cli.connect import open_gateway
from instar.cli.groups import Group
from instar.cli.options import GatewayFlags, config_option, gateway_options, json_option
from instar.cli.terminal import print_json, say, warn
from instar.core.explain.counting import count_of

if TYPE_CHECKING:
    from instar.stores.backup import BackupReport

__all__ = ["command"]


@click.group("backup", cls=Group)
def command() -> None:
    """Make a backup, check one, put one back."""


@command.command("create")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@json_option
@gateway_options
def create(*, flags: GatewayFlags, file: Path | None, as_json: bool) -> None:
    """Write a backup to FILE (default: a new one in STATE/backups), whether a gateway runs or not.

    With --url the gateway at that address writes it, on its own machine.
    """
    if flags.url is not None:
        params = {} if file is None else {"name": file.name}
        with open_gateway(flags) as gateway:
            payload = gateway.call("backup.create", params)
        print_json(payload) if as_json else say(f"Backup written on the gateway's machine: {payload['path']}")
        return
    from instar import __version__
    from instar.config.load import load_config
    from instar.stores.backup import create_backup, format_backup_name
    from instar.stores.backup_source import build_source
    from instar.system.clock import SystemClock

    loaded = load_config(flags.config, env=os.environ, home=Path.home(), thorough=False)
    now = SystemClock().now()
    target = file or loaded.config.state_dir / "backups" / format_backup_name(now)
    report = create_backup(build_source(loaded.config, loaded.path), target, now=now, version=__version__)
    _tell(report, as_json=as_json)


@command.command("verify")
@click.argument("file", type=click.Path(path_type=Path))
@json_option
@config_option
def verify(*, file: Path, as_json: bool, config: Path | None) -> None:
    """Read a backup from end to end: checksums, the database's integrity, its counts. Needs no gateway."""
    del config  # a backup tells everything itself; every command takes the option
    from instar.stores.backup import verify_backup

    _tell(verify_backup(file), as_json=as_json)


@command.command("restore")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--state-dir", type=click.Path(path_type=Path), required=True, help="A new or empty directory.", metavar="DIR"
)
@json_option
@config_option
def restore(*, file: Path, state_dir: Path, as_json: bool, config: Path | None) -> None:
    """Put a backup into an empty state directory; nothing that is there is ever overwritten."""
    del config  # the backup brings its own; every command takes the option
    from instar.cli.people_offline import warn_only
    from instar.config.load import load_config
    from instar.config.paths import resolve_state_dir
    from instar.stores.backup import restore_backup
    from instar.stores.sealing.open import load_master
    from instar.system.clock import SystemClock

    def find_master(restored: Path) -> bytes:
        known = restored / "instar.json5"
        loaded = load_config(known if known.is_file() else None, env=os.environ, home=Path.home(), thorough=False)
        return load_master(loaded.config.store.encryption)

    warn_only(SystemClock())
    known = resolve_state_dir(os.environ, home=Path.home())
    report = restore_backup(file, state_dir, now=SystemClock().now(), lists=[known], find_master=find_master)
    if as_json:
        told = {"ok": True, "stateDir": str(report.state_dir), "held": report.held}
        print_json({**told, "erasedAgain": report.erased is not None, **_document(report.backup)})
        return
    _tell(report.backup, as_json=False)
    say(f"Restored into {report.state_dir}.")
    if report.held:
        held = count_of(
            report.held, "reply was still owed then and is held", "replies were still owed then and are held"
        )
        say(f"{held}: see `instar outbox list`.")
    if report.erased is not None:
        left = count_of(report.erased.residue, "trace is left", "traces are left")
        say(f"Whoever was erased since is out of it again; {left}.")
    say(f"Start it with: INSTAR_STATE_DIR={report.state_dir} instar gateway")


def _tell(report: BackupReport, *, as_json: bool) -> None:
    if as_json:
        print_json({"ok": True, **_document(report)})
        return
    counts = report.counts
    say(
        f"{report.path}: sound, {count_of(report.files, 'file')}, {report.bytes} bytes, schema {report.schema_version}."
    )
    told = (("sessions", "session", ""), ("transcripts", "transcript", ""), ("entries", "entry", "entries"))
    say(f"{', '.join(count_of(counts[name], one, many) for name, one, many in told)}.")
    for note in report.notes:
        say(note)
    for line in report.skipped:
        warn(f"Left out: {line}")


def _document(report: BackupReport) -> dict[str, object]:
    return {
        "path": str(report.path),
        "createdAt": report.created_at,
        "version": report.version,
        "schemaVersion": report.schema_version,
        "files": report.files,
        "bytes": report.bytes,
        "counts": dict(report.counts),
        "notes": list(report.notes),
        "skipped": list(report.skipped),
    }
