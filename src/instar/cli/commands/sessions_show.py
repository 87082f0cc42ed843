"""`instar sessions show`: one session, what it is, and what was said last (CLI-2, LOSS-6, WHY-6)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click

from instar.cli.connect import Source, find_session, open_source
from instar.cli.options import GatewayFlags, Whole, gateway_options, json_option
from instar.cli.render import (
    format_age,
    format_count,
    format_moment,
    format_usage,
    render_facts,
    render_table,
)
from instar.cli.terminal import clean, paint, print_json, say, shows_colour
from instar.client.talk import message_text
from instar.client.wire import Payload
from instar.config.paths import mirror_sessions_dir, transcript_file_name
from instar.core.model.fields import SESSION_FIELDS
from instar.core.model.ids import AgentId, SessionId
from instar.errors import GatewayUnreachable, NotFound

__all__ = ["command", "list_facts", "list_lines"]

MESSAGES: Final = 10
"""Messages shown unless another number is asked for."""

_NOTES: Final = frozenset({"groupActivationNeedsSystemIntro", "authProfileOverrideSource"})
_OVERRIDES: Final = tuple(
    name for name, path in SESSION_FIELDS.items() if path.startswith("overrides.") and name not in _NOTES
)
"""What people set for a session; `_NOTES` are the gateway's own beside that (ENTRY-4, ENTRY-5)."""

WORDS_CHARS: Final = 2000
"""How much of one message is shown; `sessions export` has all of it."""


@click.command("show")
@click.argument("session")
@click.option(
    "--messages", type=Whole(0, 1000), metavar="N", default=MESSAGES, show_default=True, help="Last messages."
)
@click.option("--history", is_flag=True, help="Also the transcripts that were closed by resets.")
@click.option("--verbose", is_flag=True, help="Also what holds for it, and every field of its entry.")
@json_option
@gateway_options
def command(*, flags: GatewayFlags, session: str, messages: int, history: bool, verbose: bool, as_json: bool) -> None:
    """Show one session: by its key, its label, or its session id or the beginning of it (8 characters)."""
    with open_source(flags) as source:
        key = find_session(source, session)
        found = load(source, key, messages=messages, with_history=history)
        status = source.call("status")
    found["transcriptPath"] = find_mirror(status, found)
    if as_json:
        print_json(found if verbose else {name: value for name, value in found.items() if name != "effective"})
    else:
        tell(found, now=status["ts"], is_verbose=verbose)


def load(source: Source, key: str, *, messages: int, with_history: bool) -> dict[str, Any]:  # Any: JSON
    """The session's row and entry, with how it stands and the parts that were asked for beside them."""
    row = source.call("sessions.describe", {"key": key, "includeDerivedTitles": True}).get("session")
    if row is None:
        raise NotFound(f"There is no session {key}", fix="List the sessions with `instar sessions list`.")
    found = dict(row)
    said = source.call("chat.history", {"sessionKey": key, "limit": messages}) if messages else {}
    found["messages"] = said.get("messages", [])
    found["totalMessages"] = said.get("totalMessages")
    found["defaults"] = said.get("defaults") or {}
    if with_history:
        found["transcripts"] = source.call("sessions.transcripts", {"key": key})["transcripts"]
    try:
        found["effective"] = source.call("sessions.status", {"key": key})
    except GatewayUnreachable:
        found["effective"] = None
    return found


def find_mirror(status: Payload, found: Payload) -> str | None:
    """The file on this machine in which the transcript can be read (STORE-2); None where there is none."""
    state_dir, agent_id = status["gateway"].get("stateDir"), found.get("agentId")
    if not state_dir or not agent_id:
        return None
    folder = mirror_sessions_dir(Path(state_dir), AgentId(str(agent_id)))
    name = transcript_file_name(SessionId(str(found["sessionId"])))
    stem = name.removesuffix(".jsonl")
    # That of a topic ends in its id.
    paths = [folder / name, *(path for path in folder.glob("*.jsonl") if path.name.startswith(f"{stem}-topic-"))]
    return next((str(path) for path in paths if path.is_file()), None)


# --- for people -------------------------------------------------------------------------------------------------------


def tell(found: Payload, *, now: int, is_verbose: bool) -> None:
    """The session as text."""
    colour = shows_colour()
    say(paint(f"Session {clean(str(found['key']))}", "bold", on=colour))
    say(render_facts(list_facts(found, now=now), colour=colour))
    if found.get("transcripts"):
        say()
        rows = [_transcript_columns(one) for one in found["transcripts"]]
        say(render_table(("Transcript", "Began", "Closed", "Why", "Messages"), rows, colour=colour))
    effective = found.get("effective")
    if is_verbose and effective:
        say(f"\n{paint('What holds for it', 'bold', on=colour)}\n{clean(str(effective['text']), lines=True)}")
    if is_verbose:
        say(f"\n{paint('Entry', 'bold', on=colour)}")
        say(render_facts(_entry_facts(found), colour=colour))
    if found["messages"]:
        total = found.get("totalMessages") or len(found["messages"])
        shown = len(found["messages"])
        say(f"\n{paint('Messages', 'bold', on=colour)} ({shown} of {total})")
        for line in list_lines(found["messages"]):
            say(line)


def list_facts(found: Payload, *, now: int) -> Iterator[tuple[str, str]]:
    """What a session is, name by name; facts that nobody knows are empty."""

    def text(name: str) -> str:
        return clean(str(found.get(name) or ""))

    def moment(name: str) -> str:
        at = found.get(name)
        return "" if at is None else f"{format_moment(at)} ({format_age(now - at)})"

    defaults = found.get("defaults") or {}
    yield "Title", text("derivedTitle") or text("displayName")
    yield "Label", text("label")
    yield "Session id", text("sessionId")
    yield "Kind", text("kind")
    yield "Agent", text("agentId")
    yield "Channel", " ".join(part for part in (text("channel"), text("groupChannel"), text("subject")) if part)
    yield (
        "Replies go to",
        " ".join(part for part in (text("lastChannel"), text("lastTo"), text("lastThreadId")) if part),
    )
    yield "Began", moment("sessionStartedAt")
    yield "Last message", moment("lastInteractionAt")
    yield "Updated", moment("updatedAt")
    yield "Archived", moment("archivedAt")
    status = (found.get("effective") or {}).get("status") or {}
    yield "Model", clean(str(status.get("model") or "")) or _model(found) or _model(defaults)
    yield "In the window", _window(found, status, now=now)
    yield "Billed", f"{format_count(found.get('inputTokens'))} in, {format_count(found.get('outputTokens'))} out"
    yield "Compactions", str(found.get("compactionCount") or "")
    yield "Set here", clean(_overrides(found)) or "nothing"
    yield "Running", ", ".join(str(run_id) for run_id in found.get("activeRunIds") or ())
    yield "Transcript", text("transcriptPath")


def _overrides(found: Payload) -> str:
    """Everything that was set for this session, each with the name by which `sessions patch` sets it."""
    said = ((name, found.get(name)) for name in _OVERRIDES)
    return ", ".join(f"{name} {_word(value)}" for name, value in said if value is not None)


def _word(value: object) -> str:
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)


def _window(found: Payload, status: Payload, *, now: int) -> str:
    """Tokens in the window as `/status` tells them: of which size, who counted them, and how long ago (WHY-7).

    Where that cannot be asked there are the numbers of the row, whose source nobody knows.
    """
    context = status.get("context")
    if context is None:
        defaults = found.get("defaults") or {}
        return format_usage(found.get("totalTokens"), found.get("contextTokens") or defaults.get("contextTokens"))
    at = context.get("countedAt")
    counted = f"by {clean(str(context['source']))}" + ("" if at is None else f", {format_age(now - at)}")
    return f"{format_usage(context['used'], context['limit'])}, {counted}"


def _model(facts: Payload) -> str:
    provider, model = facts.get("modelProvider"), facts.get("model")
    return clean(f"{provider}/{model}" if provider and model else str(model or ""))


def _transcript_columns(one: Payload) -> tuple[str, ...]:
    closed = "current" if one.get("isCurrent") else format_moment(one.get("closedAt"))
    return (
        clean(str(one["sessionId"])),
        format_moment(one.get("beganAt")),
        closed,
        clean(str(one.get("closeReason") or "")),
        str(one.get("messages", "")),
    )


_OWN: Final = frozenset({"messages", "totalMessages", "defaults", "transcripts", "effective", "key", "transcriptPath"})


def _entry_facts(found: Payload) -> Iterator[tuple[str, str]]:
    for name in sorted(found.keys() - _OWN):
        value = found[name]
        yield name, clean(str(value)) if value not in (None, "", [], {}) else ""


def list_lines(messages: list[Payload]) -> Iterator[str]:
    """Messages as lines: when, who, and the words; what tools said is cut to its first line."""
    for message in messages:
        role, words = str(message.get("role", "")), message_text(message).strip()
        calls = [block for block in _blocks(message) if block.get("type") == "toolCall"]
        who = {"user": "you", "assistant": "agent"}.get(role, role)
        at = format_moment(message.get("timestamp"))
        if role == "toolResult":
            first = words.partition("\n")[0]
            yield f"{at}  tool {clean(str(message.get('toolName', '')))}: {clean(_cut(first, 200))}"
            continue
        if words:
            yield f"{at}  {who}: {_indent(clean(_cut(words, WORDS_CHARS), lines=True))}"
        for call in calls:
            yield f"{at}  {who} calls {clean(str(call.get('name', '')))}"
        if not words and message.get("errorMessage"):
            yield f"{at}  {who}: [{clean(_cut(str(message['errorMessage']), 400))}]"


def _blocks(message: Payload) -> list[Payload]:
    content = message.get("content")
    return [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []


def _indent(text: str) -> str:
    """`text` with its later lines set in, so that nobody takes one of them for another message."""
    return text.replace("\n", "\n    ")


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"
