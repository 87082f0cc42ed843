"""`instar sessions list` against a gateway with many sessions, beside the emptiest Python program.

Both are processes that start anew each time, in turns; compiled modules are kept.
"""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path

from bench.harness import Options, Row, Table, at_most, child_environment, run_in_turns, timed
from bench.outside import open_gateway
from bench.seeds import open_state

TITLE = "Command line"


async def measure(options: Options) -> Table:
    """Every row of the table."""
    sessions = 5_000 if options.quick else 20_000
    state = await open_state(options, sessions)
    environment = {**child_environment(options.folder), "INSTAR_STATE_DIR": str(state)}
    program = str(Path(sys.executable).with_name("instar"))
    commands = {
        "list": [program, "sessions", "list"],
        "json": [program, "sessions", "list", "--json"],
        "help": [program, "--help"],
        "pass": [sys.executable, "-c", "pass"],
    }
    run = partial(subprocess.run, env=environment, cwd=options.folder, check=True, stdout=subprocess.DEVNULL)
    with open_gateway(options, state, {}):
        ways = {name: (lambda _, command=command: run(command)) for name, command in commands.items()}
        taken = run_in_turns(ways, options.times(40), warm_up=3)
    empty = timed(taken["pass"])

    def row(name: str, way: str, *, aimed: bool) -> Row:
        aim = at_most(6) if aimed else None
        return Row(name=name, ours=timed(taken[way]), against="python -c pass", theirs=empty, aim=aim)

    return Table(
        title=TITLE,
        text=__doc__.partition("\n\n")[2],
        rows=(
            row(f"sessions list, {sessions:,} sessions", "list", aimed=True),
            row("sessions list --json", "json", aimed=False),
            row("--help", "help", aimed=False),
        ),
    )
