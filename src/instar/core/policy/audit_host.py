"""What the audit says about the machine: files, the port, webhooks, the log (AUDIT-16…30, WHY-5)."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from instar.core.policy.audit_channels import SHORT_SECRET_CHARS
from instar.core.policy.audit_facts import AuditFacts, AuditFinding, FileFacts, GatewayFacts, HooksFacts, Severity
from instar.core.policy.remedies import DRAWN, build_remedy, build_set

__all__ = ["find_host_risks", "tight_mode"]

_GROUP_WRITES, _OTHERS_WRITE = 0o020, 0o002
_GROUP_READS, _OTHERS_READ = 0o040, 0o004
_OTHERS_PASS = 0o001
_IS_FOLDER = 0o040000
_KIND = 0o170000

_FILES_SHOWN = 20
"""Files of sessions that get a finding of their own; a whole store of open files is one mistake, not thousands."""


def find_host_risks(facts: AuditFacts) -> Iterator[AuditFinding]:
    """What is risky about files, the port, webhooks and the log, and what the lint noticed."""
    for file in facts.files:
        if file.place != "store":
            yield from _find_state(file) if file.place == "state" else _find_config(file)
    yield from _find_store([file for file in facts.files if file.place == "store"])
    yield from _find_gateway(facts.gateway)
    if facts.hooks.enabled:
        yield from _find_hooks(facts.hooks, is_public=not facts.gateway.is_loopback)
    if facts.hooks.is_literal:
        yield _literal_token()
    for one in facts.noticed:
        detail = f"{one.path}: {one.why}." if one.why else f"{one.path}."
        severity: Severity = "critical" if one.is_critical else "warn"
        yield AuditFinding(
            check_id=f"config.{one.code}",
            severity=severity,
            title=one.what,
            detail=detail,
            remediation=build_remedy(one),
        )
    if facts.unread:
        yield AuditFinding(
            check_id="sessions.store_unread",
            severity="warn",
            title="The sessions were not looked at",
            detail=facts.unread,
        )


def tight_mode(mode: int) -> int:
    """The permission bits that a file or folder of the gateway should have (AUDIT-33)."""
    return 0o700 if mode & _KIND == _IS_FOLDER else 0o600


def _chmod(*files: FileFacts) -> str:
    return "\n".join(f"chmod {tight_mode(file.mode):o} {shlex.quote(file.path)}" for file in files)


def _find_state(file: FileFacts) -> Iterator[AuditFinding]:
    who: tuple[str, Severity, str] | None = None
    if file.mode & _OTHERS_WRITE:
        who = ("world_writable", "critical", "Every user of this machine can put files into")
    elif file.mode & _GROUP_WRITES:
        who = ("group_writable", "warn", "Users of its group can put files into")
    elif file.mode & (_GROUP_READS | _OTHERS_READ | _OTHERS_PASS):
        who = ("readable", "warn", "Other users of this machine can look into")
    if who is not None:
        yield AuditFinding(
            check_id=f"fs.state_dir.perms_{who[0]}",
            severity=who[1],
            title=f"{who[2]} the state directory",
            detail=f"{file.path} has mode {file.mode & 0o777:03o}; every conversation and the secret lie in it.",
            remediation=_chmod(file),
        )


def _find_config(file: FileFacts) -> Iterator[AuditFinding]:
    found: list[tuple[str, Severity, str]] = []
    if file.mode & (_GROUP_WRITES | _OTHERS_WRITE):
        found.append(("writable", "critical", "Other users can change the configuration"))
    if file.mode & _OTHERS_READ:
        found.append(("world_readable", "critical", "Every user of this machine can read the configuration"))
    elif file.mode & _GROUP_READS:
        found.append(("group_readable", "warn", "Users of its group can read the configuration"))
    for name, severity, title in found:
        yield AuditFinding(
            check_id=f"fs.config.perms_{name}",
            severity=severity,
            title=title,
            detail=f"{file.path} has mode {file.mode & 0o777:03o}; keys and tokens stand in it.",
            remediation=_chmod(file),
        )


def _find_store(files: list[FileFacts]) -> Iterator[AuditFinding]:
    loose = [file for file in files if file.mode & (_GROUP_READS | _OTHERS_READ | _GROUP_WRITES | _OTHERS_WRITE)]
    if loose:
        more = f", and {len(loose) - 1} more" if len(loose) > 1 else ""
        yield AuditFinding(
            check_id="fs.sessions_store.perms_readable",
            severity="warn",
            title="Other users can read what was said",
            detail=f"{loose[0].path} has mode {loose[0].mode & 0o777:03o}{more}.",
            remediation=_chmod(*loose) if len(loose) <= _FILES_SHOWN else "instar security audit --fix",
        )


def _find_gateway(gateway: GatewayFacts) -> Iterator[AuditFinding]:
    setting = f"gateway.auth.{'password' if gateway.auth_mode == 'password' else 'token'}"
    remedy = build_set(setting, DRAWN)
    if gateway.secret_chars is None:
        where = "on loopback" if gateway.is_loopback else f"on {gateway.host}"
        yield AuditFinding(
            check_id="gateway.loopback_no_auth" if gateway.is_loopback else "gateway.bind_no_auth",
            severity="critical",
            title=f"The gateway has no secret {where}",
            detail="Whoever reaches its port could read every conversation; it does not start so.",
            remediation=remedy,
        )
    elif gateway.secret_chars < SHORT_SECRET_CHARS:
        yield AuditFinding(
            check_id="gateway.token_too_short",
            severity="warn",
            title="The gateway's secret is short",
            detail=f"It has {gateway.secret_chars} characters; below {SHORT_SECRET_CHARS} it can be guessed.",
            remediation=remedy,
        )
    if not gateway.redacts:
        yield AuditFinding(
            check_id="logging.redact_off",
            severity="warn",
            title="Redaction is switched off",
            detail='logging.redactSensitive is "off". This build redacts all the same; another may not.',
            remediation="instar config unset logging.redactSensitive",
        )
    if gateway.session_key_override:
        yield AuditFinding(
            check_id="gateway.http.session_key_override_enabled",
            severity="info",
            title="HTTP callers may name a session",
            detail="Whoever holds a token for HTTP chooses by a key which conversation they speak in.",
        )


def _find_hooks(hooks: HooksFacts, *, is_public: bool) -> Iterator[AuditFinding]:
    graver: Severity = "critical" if is_public else "warn"
    remedy = build_set("hooks.token", DRAWN)
    if hooks.token_chars is not None and hooks.token_chars < SHORT_SECRET_CHARS:
        yield AuditFinding(
            check_id="hooks.token_too_short",
            severity="warn",
            title="The token of webhooks is short",
            detail=f"It has {hooks.token_chars} characters; below {SHORT_SECRET_CHARS} it can be guessed.",
            remediation=remedy,
        )
    if hooks.is_gateway_secret:
        yield AuditFinding(
            check_id="hooks.token_reuse_gateway_token",
            severity="critical",
            title="Webhooks use the gateway's own secret",
            detail="Each program that calls a webhook could read every conversation.",
            remediation=remedy,
        )
    if not hooks.path.strip("/"):
        yield AuditFinding(
            check_id="hooks.path_root",
            severity="critical",
            title="Webhooks are served at the root",
            detail='hooks.path is "/": every address of the gateway would be a webhook.',
            remediation="instar config set hooks.path /hooks",
        )
    if hooks.default_session_key is None:
        yield AuditFinding(
            check_id="hooks.default_session_key_unset",
            severity="warn",
            title="Webhooks have no session of their own",
            detail="A call that names no session gets one made up for it.",
            remediation="instar config set hooks.defaultSessionKey hook:ingress",
        )
    if not hooks.allows_session_keys:
        return
    yield AuditFinding(
        check_id="hooks.request_session_key_enabled",
        severity=graver,
        title="Callers of webhooks choose the session",
        detail="hooks.allowRequestSessionKey is on: whoever holds the token writes into any conversation it may name.",
        remediation="instar config set hooks.allowRequestSessionKey false",
    )
    if not hooks.prefixes:
        yield AuditFinding(
            check_id="hooks.request_session_key_prefixes_missing",
            severity=graver,
            title="Callers of webhooks may choose every session",
            detail="hooks.allowedSessionKeyPrefixes is empty.",
            remediation="instar config set hooks.allowedSessionKeyPrefixes '[\"hook:\"]'",
        )


def _literal_token() -> AuditFinding:
    return AuditFinding(
        check_id="config.secrets.hooks_token_in_config",
        severity="warn",
        title="The token of webhooks stands in the configuration file",
        detail="Whoever sees the file, or a copy of it, has the token.",
        remediation="instar config set hooks.token '${INSTAR_HOOKS_TOKEN}'\nThen set that variable for the gateway.",
    )
