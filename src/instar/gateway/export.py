"""A session as a document, out of a store (CLI-20, RPC-11).

It needs nothing of a running gateway, so that the command line can export from a database that no gateway serves
(CLI-28).
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Literal

from instar.core.lifecycle.title import derive_title
from instar.core.model.fields import OWNER_FIELDS, format_session
from instar.core.model.ids import AgentId, Instant, SessionId, SessionKey
from instar.core.policy.redaction import Redactor
from instar.core.transcript.export import SessionExport, build_document, build_lines, render_html, render_markdown
from instar.errors import NotFound
from instar.ports.store import Store

__all__ = ["ExportFormat", "export_session"]

ExportFormat = Literal["json", "jsonl", "markdown", "html"]
"""How a session is written down (CLI-4)."""


async def export_session(
    store: Store,
    key: SessionKey,
    *,
    form: ExportFormat,
    session_id: SessionId | None,
    all_branches: bool,
    redactor: Redactor | None,
    agent_id: AgentId,
    now: Instant,
    is_owner: bool = True,
) -> str:
    """A session as a document (CLI-20); `session_id` names a closed life of it, None the current one.

    Where `is_owner` is False it holds nothing of the machine and of who pays (LEAK-4).

    A redactor takes secrets out first (LEAK-12). `agent_id` is told where the session itself is gone and only its
    transcripts are left. Raises `NotFound` for a session or a transcript that is not there.
    """
    session = await store.load_session(key)
    wanted = session_id or (session.session_id if session else None)
    if wanted is None:
        raise NotFound(f"There is no session {key}", fix="List the sessions with `instar sessions list`.")
    if session is None or wanted != session.session_id:
        await _check_belongs(store, key, wanted)
    page = await (store.load_all_entries(wanted) if all_branches else store.load_entries(wanted))
    row = format_session(session) if session else {}
    header = page.head.header
    if not is_owner:
        row = {name: value for name, value in row.items() if name not in OWNER_FIELDS}
        header = replace(header, cwd="")
    export = SessionExport(
        key=key,
        session_id=wanted,
        agent_id=session.agent_id if session else agent_id,
        exported_at=now,
        header=header,
        entries=tuple(stored.entry for stored in page.entries),
        row=row,
        title=derive_title(session) if session else key,
    )
    return _render(export, form, redactor)


async def _check_belongs(store: Store, key: SessionKey, session_id: SessionId) -> None:
    """Whoever may read one session must not read another one by naming its transcript (LEAK-4)."""
    heads = await store.load_transcripts(key)
    if not any(head.session_id == session_id for head in heads):
        raise NotFound(
            f"{key} has no transcript {session_id}",
            fix="`instar sessions show KEY --history` lists those it has.",
        )


def _render(export: SessionExport, form: ExportFormat, redactor: Redactor | None) -> str:
    """The document as text, without secrets where there is a redactor."""
    if form in {"markdown", "html"}:
        text = render_markdown(export) if form == "markdown" else render_html(export)
        return redactor.text(text) if redactor else text
    if form == "jsonl":
        lines = (_clean(line, redactor) for line in build_lines(export.header, export.entries))
        return "".join(f"{json.dumps(line, ensure_ascii=False, separators=(',', ':'))}\n" for line in lines)
    return json.dumps(_clean(build_document(export), redactor), ensure_ascii=False, indent=2) + "\n"


def _clean(document: dict[str, object], redactor: Redactor | None) -> object:
    return document if redactor is None else redactor.value(document)
