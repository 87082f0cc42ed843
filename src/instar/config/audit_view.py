"""A configuration as the security audit looks at it (AUDIT-*): lengths of secrets, never the secrets themselves.

What belongs here: turning `Config` into the facts of `instar.core.policy.audit_facts`. What does not: files and rows
(`instar.stores.audit`) and judging (`instar.core.policy.audit`).
"""

from __future__ import annotations

import hmac
from collections.abc import Collection, Iterable, Iterator, Mapping

from instar.config.config import Config
from instar.config.finding import Finding
from instar.config.lint import shares_main
from instar.config.read import read_bool, read_object, read_secret, read_text, read_text_list
from instar.config.sections.gateway import is_loopback
from instar.core.model.ids import ChannelName
from instar.core.policy.audit_facts import AuditFacts, ChannelFacts, GatewayFacts, HooksFacts, Noticed

__all__ = ["Approved", "build_audit_facts"]

Approved = Mapping[ChannelName, tuple[frozenset[str], frozenset[str]]]
"""People and groups that the owner approved, by channel."""


def build_audit_facts(
    config: Config, findings: Iterable[Finding], *, secret: str | None, approved: Approved, env: Mapping[str, str]
) -> AuditFacts:
    """What the configuration says about security. `secret` is what the gateway asks for, None for none at all.

    `findings` is what was noticed when the configuration was read.
    """
    return AuditFacts(
        channels=tuple(_list_channels(config, secret=secret, approved=approved)),
        group_scope_main=tuple(_find_group_scopes(config)),
        links=config.routing.keys.links,
        gateway=_read_gateway(config, secret=secret),
        hooks=_read_hooks(config, secret=secret, env=env),
        noticed=tuple(_read_findings(config, findings)),
        suppressed=_read_suppressed(config),
    )


def _list_channels(config: Config, *, secret: str | None, approved: Approved) -> Iterator[ChannelFacts]:
    nobody: tuple[frozenset[str], frozenset[str]] = (frozenset(), frozenset())
    for name, channel in config.channels.items():
        if not channel.enabled:
            continue
        access = config.access(name)
        people, groups = approved.get(name, nobody)
        yield ChannelFacts(
            name=name,
            path=channel.path,
            access=access,
            shares_main=config.routing.keys.scope == "global" or shares_main(config, name),
            accounts=max(1, len(channel.accounts)),
            paired=people,
            groups=groups | access.group_allow_from.groups,
            token_chars=len(channel.token) if channel.token else None,
            is_gateway_secret=_is_same(channel.token, secret),
        )


def _find_group_scopes(config: Config) -> Iterator[str]:
    """The settings that bring groups into the main session (AUDIT-14)."""
    if config.routing.keys.group_scope == "main":
        yield "session.groupScope"
    raw = config.root.get("bindings")
    for at, binding in enumerate(raw if isinstance(raw, list) else ()):
        if read_object(read_object(binding, "").get("session"), "").get("groupScope") == "main":
            yield f"bindings[{at}].session.groupScope"


def _read_gateway(config: Config, *, secret: str | None) -> GatewayFacts:
    logging = read_object(config.root.get("logging"), "logging")
    word = read_text(logging.get("redactSensitive"), "logging.redactSensitive") or ""
    return GatewayFacts(
        host=config.gateway.host,
        is_loopback=is_loopback(config.gateway.host),
        auth_mode=config.gateway.auth_mode,
        secret_chars=len(secret) if secret else None,
        redacts=word.lower() != "off",
    )


def _read_hooks(config: Config, *, secret: str | None, env: Mapping[str, str]) -> HooksFacts:
    fields = read_object(config.root.get("hooks"), "hooks")
    written = fields.get("token")
    token = read_secret(written, "hooks.token", env=env)
    return HooksFacts(
        enabled=read_bool(fields.get("enabled"), "hooks.enabled") or False,
        token_chars=len(token) if token else None,
        is_literal=isinstance(written, str) and bool(token) and token == written.strip(),
        is_gateway_secret=_is_same(token, secret),
        path=read_text(fields.get("path"), "hooks.path") or "/hooks",
        default_session_key=read_text(fields.get("defaultSessionKey"), "hooks.defaultSessionKey"),
        allows_session_keys=read_bool(fields.get("allowRequestSessionKey"), "hooks.allowRequestSessionKey") or False,
        prefixes=read_text_list(fields.get("allowedSessionKeyPrefixes"), "hooks.allowedSessionKeyPrefixes"),
    )


def _read_findings(config: Config, findings: Iterable[Finding]) -> Iterator[Noticed]:
    """What the lint noticed, notes left out; `gateway.allowUnsafe` silences what is critical (WHY-5)."""
    for one in findings:
        if one.severity == "note" or (one.severity == "critical" and config.gateway.allow_unsafe):
            continue
        is_critical = one.severity == "critical"
        yield Noticed(code=one.code, is_critical=is_critical, path=one.path, what=one.what, why=one.why, fix=one.fix)


def _read_suppressed(config: Config) -> frozenset[str]:
    """`security.audit.suppressions`: checkIds, or objects that name one (AUDIT-34)."""
    audit = read_object(read_object(config.root.get("security"), "security").get("audit"), "security.audit")
    written = audit.get("suppressions")
    entries: Collection[object] = written if isinstance(written, list) else ()
    named = (each.get("checkId") if isinstance(each, Mapping) else each for each in entries)
    return frozenset(each.strip() for each in named if isinstance(each, str) and each.strip())


def _is_same(one: str | None, other: str | None) -> bool:
    return bool(one and other) and hmac.compare_digest((one or "").encode(), (other or "").encode())
