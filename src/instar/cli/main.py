"""The program `instar`: its commands, loaded when called, and what becomes of errors (section 18, head).

Exit codes: 0 success; 1 failure, or a value that makes no sense; 2 a command line that cannot be read.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Final

import click

from instar import __version__
from instar.cli.groups import LazyGroup
from instar.cli.terminal import prepare_streams, print_json, warn
from instar.errors import InstarError

__all__ = ["COMMANDS", "SUMMARIES", "cli", "run"]

COMMANDS: Final[Mapping[str, str]] = {
    "gateway": "instar.cli.commands.gateway",
    "chat": "instar.cli.commands.chat",
    "agent": "instar.cli.commands.agent",
    "sessions": "instar.cli.commands.sessions",
    "status": "instar.cli.commands.status",
    "explain": "instar.cli.commands.explain",
    "simulate": "instar.cli.commands.simulate",
    "logs": "instar.cli.commands.logs",
    "models": "instar.cli.commands.models",
    "agents": "instar.cli.commands.agents",
    "import": "instar.cli.commands.imports",
    "config": "instar.cli.commands.config",
    "backup": "instar.cli.commands.backup",
    "doctor": "instar.cli.commands.doctor",
    "outbox": "instar.cli.commands.outbox",
    "pairing": "instar.cli.commands.pairing",
    "devices": "instar.cli.commands.devices",
    "tokens": "instar.cli.commands.tokens",
    "people": "instar.cli.commands.people",
    "export": "instar.cli.commands.exports",
    "mirror": "instar.cli.commands.mirror",
    "security": "instar.cli.commands.security",
    "encryption": "instar.cli.commands.encryption",
    "dashboard": "instar.cli.commands.dashboard",
}
"""Each command's module; the click command in it is called `command`."""

SUMMARIES: Final[Mapping[str, str]] = {
    "gateway": "Run the gateway, or call one of its methods; without a word more, run.",
    "chat": "Talk to an agent; every line is a message.",
    "agent": "Send one message, wait for the turn, print the answer.",
    "sessions": "Look at sessions and look after them; without a word more, list them.",
    "status": "Show how the gateway is doing.",
    "explain": "Explain what was decided about a session, a message or a turn, and by which rule.",
    "simulate": "Show which sessions would merge, part, start over or fall silent under another configuration.",
    "logs": "Show the last lines of the gateway's log; without a gateway, those that it has left.",
    "models": "List the models that a person may choose, with their windows.",
    "agents": "List the agents; the default one answers where no binding names another.",
    "import": "Bring sessions of another program, or of an export, along.",
    "config": "Check, read and change the configuration.",
    "backup": "Make a backup, check one, put one back.",
    "doctor": "Look over configuration, database, mirror and disk, and say what to do.",
    "outbox": "Replies that failed, or of which nobody knows whether they arrived.",
    "pairing": "People and groups who wait for your word, and those you let in.",
    "devices": "Programs on other machines that sign with a key of their own.",
    "tokens": "Credentials beside the gateway's own secret: who may do what, until when.",
    "people": "Who is known here: list them, export what is held about one, erase one from everything.",
    "export": "Write everything in formats that other programs read.",
    "mirror": "Look after the files in which other programs read sessions.",
    "security": "Look for what is risky.",
    "encryption": "Encrypt the words in the database, each person's under a key of their own; look after the keys.",
    "dashboard": "Print a link that signs a browser in, and open it.",
}
"""The first sentence of each command's help, held against it by a test: to list them imports none of them."""

FAILURE: Final = 1
USAGE: Final = 2

_WAYS_OUT: Final[Mapping[int, str]] = {
    errno.EACCES: "Look who may read and write there, or name another place.",
    errno.EPERM: "Look who may read and write there, or name another place.",
    errno.EROFS: "That disk can only be read; name another place.",
    errno.ENOENT: "Check the path.",
    errno.ENOTDIR: "Check the path.",
    errno.EEXIST: "Name another place.",
    errno.EISDIR: "Name a file, not a folder.",
    errno.ENOSPC: "Make room on that disk.",
    errno.EDQUOT: "Make room on that disk.",
    errno.EMFILE: "Let the process open more files (`ulimit -n`).",
}
"""What to do when the system refuses something, by its reason."""


@click.group(
    cls=LazyGroup, lazy=COMMANDS, summaries=SUMMARIES, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(__version__, "--version", "-V", message="instar %(version)s")
def cli() -> None:
    """Instar, a session gateway for AI agents: nothing is lost, nothing leaks, everything is explained.

    Start it with `instar gateway`, talk to it with `instar chat`.
    """


def run(args: Sequence[str] | None = None) -> int:
    """Run one command line and give its exit code; errors are told in words, never as a traceback."""
    given = list(sys.argv[1:] if args is None else args)
    prepare_streams()
    stdout = sys.stdout
    try:
        outcome = cli.main(given, prog_name="instar", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Exit as exit_:
        return int(exit_.exit_code)
    except SystemExit as exit_:
        # When the reader of the output has left, click wraps the stream and fails; but that is no failure.
        return int(exit_.code or 0) if sys.stdout is stdout else _leave_quietly()
    except click.Abort:
        warn("Stopped.")
        return FAILURE
    except KeyboardInterrupt:
        return FAILURE
    except click.ClickException as error:
        return _tell_click(error, as_json="--json" in given)
    except InstarError as error:
        return _tell(str(error), code=error.code, as_json="--json" in given)
    except BrokenPipeError:
        return _leave_quietly()
    except OSError as error:
        if error.errno == errno.EPIPE:
            return _leave_quietly()
        return _tell(_explain(error), code="os", as_json="--json" in given)
    return outcome if isinstance(outcome, int) and not isinstance(outcome, bool) else 0


def _tell_click(error: click.ClickException, *, as_json: bool) -> int:
    """A command line that cannot be read is a usage error; a value that makes no sense is a failure."""
    is_value = isinstance(error, click.BadParameter) and not isinstance(error, click.MissingParameter)
    is_usage = isinstance(error, click.UsageError) and not is_value
    if as_json:
        _tell(error.format_message(), code="usage" if is_usage else "invalid_request", as_json=True)
    else:
        error.show()
    return USAGE if is_usage else FAILURE


def _explain(error: OSError) -> str:
    """What the system refused, why, and what to do about it."""
    place = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else "What was to be read or written"
    return f"{place}: {error.strerror or error}. {_WAYS_OUT.get(error.errno or 0, '')}".rstrip()


def _tell(text: str, *, code: str, as_json: bool) -> int:
    """An error for the person, or with ``--json`` as the one document (CLI-29), without secrets."""
    from instar.core.policy.redaction import build_redactor  # only a command that failed pays for it

    text = build_redactor().text(text)
    if as_json:
        print_json({"ok": False, "error": text, "code": code})
    else:
        warn(f"instar: {text}")
    return FAILURE


def _leave_quietly() -> int:
    """Whoever read the output has seen enough (``| head``): that is no failure.

    Python would complain when it flushes what is left at exit, so that goes nowhere.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return 0
