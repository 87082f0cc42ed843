"""`instar export all --output DIR`: every session, decision, message, reply and ledger line in open formats."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import click

from instar.cli.options import config_option, json_option
from instar.cli.terminal import print_json, say

__all__ = ["command"]


@click.command("all")
@click.option(
    "--output", type=click.Path(path_type=Path), required=True, help="A new or empty directory.", metavar="DIR"
)
@click.option("--raw", is_flag=True, help="Leave secrets in; needed to import it again word for word.")
@json_option
@config_option
def command(*, output: Path, raw: bool, as_json: bool, config: Path | None) -> None:
    """Write everything into a directory of JSON and JSON Lines, while a gateway runs or not."""
    from instar.config.load import load_config
    from instar.core.policy.redaction import build_redactor
    from instar.errors import NotFound
    from instar.stores.sealing.open import load_seals
    from instar.stores.transfer import export_store
    from instar.system.clock import SystemClock

    loaded = load_config(config, env=os.environ, home=Path.home(), thorough=False)
    path = loaded.config.store.path
    if path is None or not path.is_file():
        raise NotFound(f"There is no database {path}", fix="Check --config and INSTAR_STATE_DIR.")
    clean = None if raw else build_redactor(loaded.config.secrets).value
    export = export_store(
        path, output.absolute(), now=SystemClock().now(), clean=clean, seals=load_seals(loaded.config)
    )
    report = asyncio.run(export)
    if as_json:
        print_json({"ok": True, "output": str(report.folder), "counts": dict(report.counts)})
        return
    for name, count in report.counts.items():
        say(f"{count:8}  {name}")
    say(f"Exported to {report.folder}." + ("" if raw else " Secrets were taken out; --raw leaves them in."))
