"""Settings that are never meant together, and slips that no type shows (WHY-5).

What belongs here: comparing settings with each other and with the names they use. What does not: wrong types and
unknown names (`check`). Findings are values: `config set` and a reload refuse critical ones, the start only tells them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from instar.config.config import Config
from instar.config.finding import Finding, Severity
from instar.config.lint_models import lint_models
from instar.config.lint_send import lint_send
from instar.config.lint_values import lint_values
from instar.config.read import join_path
from instar.core.model.ids import ChannelName
from instar.core.policy.access import AccessSettings
from instar.core.routing.identity import IdentityGroup, person_segment
from instar.core.routing.normalize import KNOWN_CHANNELS, normalize_agent_id, normalize_channel

__all__ = ["lint_config", "shares_main"]


def lint_config(config: Config) -> Iterator[Finding]:
    """Everything noticed about `config`, its aliases applied, room by room."""
    yield from _lint_scopes(config)
    yield from _lint_access(config)
    yield from _lint_links(config)
    yield from _lint_bindings(config)
    yield from _lint_reset(config)
    yield from _lint_names(config)
    yield from lint_send(config)
    yield from lint_values(config)
    yield from lint_models(config)
    yield from _lint_encryption(config)
    yield from _lint_store(config)


# ---------------------------------------------------------------- what lies where


def _lint_encryption(config: Config) -> Iterator[Finding]:
    """A key that is carried away with what it locks."""
    settings = config.store.encryption
    database = config.store.path
    if not settings.enabled or settings.key_file is None:
        return
    folders = {config.state_dir, database.parent if database is not None else config.state_dir}
    if any(settings.key_file.is_relative_to(folder) for folder in folders):
        yield _warning(
            "key-beside-store",
            "session.encryption.keyFile",
            what="Whoever takes the state directory takes the key with it",
            why="the master key lies in the folder whose words it locks",
            fix="Move it elsewhere, for example to ~/.config/instar/master.key, and name it there.",
        )


def _lint_store(config: Config) -> Iterator[Finding]:
    """A place that a copied configuration still names."""
    template = config.store.foreign_template
    if template is not None:
        yield _warning(
            "foreign-store",
            "session.store",
            what=f"The mirror is not written to {template}",
            why="that directory is OpenClaw's, and nothing is ever written there",
            fix="Take session.store away: sessions.json and transcripts lie in the state directory.",
        )


# ---------------------------------------------------------------- who shares a session with whom


def _lint_scopes(config: Config) -> Iterator[Finding]:
    for name, channel in config.channels.items():
        if not channel.enabled:
            continue
        access = config.access(name)
        if _is_open_to_all(access) and shares_main(config, name):
            yield _critical(
                "open-main",
                f"{channel.path}.dmPolicy",
                what="Strangers would share one session with each other and with you",
                why=f'everybody may write on {name} and session.dmScope is "main"',
                fix='Set session.dmScope to "per-channel-peer", or list who may write.',
            )
        if access.group_policy == "open" and config.routing.keys.group_scope == "main":
            yield _critical(
                "open-group-main",
                f"{channel.path}.groupPolicy",
                what="Every group would share the main session",
                why=f'every group on {name} is admitted and session.groupScope is "main"',
                fix='Set session.groupScope to "per-group", or groupPolicy to "allowlist".',
            )
    direct = [name for name in config.channels if config.access(name).dm_policy != "off"]
    if config.routing.keys.dm_scope == "per-peer" and len(direct) > 1:
        yield _warning(
            "peers-of-many-channels",
            "session.dmScope",
            what="Two people with the same id on two channels would share a session",
            why=f'the scope is "per-peer" and there are {len(direct)} channels',
            fix='Set "per-channel-peer"; identityLinks join the channels of one person.',
        )


def _is_open_to_all(access: AccessSettings) -> bool:
    return access.dm_policy == "open" or (access.dm_policy == "allowlist" and access.allow_from.everybody)


def shares_main(config: Config, channel: ChannelName) -> bool:
    """Whether people of `channel` come to the main session: by the scope, unless a binding for all says otherwise."""
    bindings = config.routing.bindings.by_channel.get(channel, ())
    for binding in bindings:
        if binding.peer_id in {None, "*"} and binding.dm_scope is not None:
            return binding.dm_scope == "main"
    return config.routing.keys.dm_scope == "main"


def _lint_access(config: Config) -> Iterator[Finding]:
    for name, channel in config.channels.items():
        if channel.type == name and name not in KNOWN_CHANNELS:
            yield _warning(
                "unknown-channel-type",
                channel.path,
                what="The channel will not be started",
                why=f'there is no channel "{name}", and it names no type',
                fix='Add type: "bridge" if a program of yours serves it, or correct the name.',
            )
        access = config.access(name)
        if channel.enabled and access.dm_policy == "allowlist" and not access.allow_from.is_given:
            yield _warning(
                "empty-allowlist",
                f"{channel.path}.allowFrom",
                what=f"Nobody can write on {name}",
                why='dmPolicy is "allowlist" and the list is empty',
                fix='List who may write in allowFrom, or set dmPolicy to "pairing".',
            )


# ---------------------------------------------------------------- who is who


def _lint_links(config: Config) -> Iterator[Finding]:
    links = config.routing.keys.links
    seen: dict[str, str] = {}
    for at, group in enumerate(links.groups):
        path = _link_path(config, group, at)
        twin = seen.setdefault(person_segment(group.name), group.name)
        if group.shared and twin is not group.name:
            yield _critical(
                "same-person-twice",
                path,
                what="Two persons would share a session",
                why=f'"{twin}" and "{group.name}" are the same name in session keys',
                fix="Rename one of them, or make them one.",
            )
        for text in group.ids:
            prefix, colon, _ = text.partition(":")
            word = normalize_channel(prefix)
            if colon and word not in links.known_channels and _is_word(prefix):
                yield _critical(
                    "unknown-channel-in-link",
                    path,
                    what=f'The id "{text}" will match nobody',
                    why=f'"{prefix}" is no channel',
                    fix=f"Correct it, or add the channel: known are {_list(links.known_channels)}.",
                )
    yield from _lint_link_ids(config)


def _lint_link_ids(config: Config) -> Iterator[Finding]:
    """Ids that are no text are skipped (LINK-5); who wrote ``telegram: 5`` should hear of it."""
    raw = _session(config).get("identityLinks")
    rows = raw.items() if isinstance(raw, Mapping) else enumerate(raw if isinstance(raw, list) else ())
    for name, value in rows:
        path = f"session.identityLinks[{name}]" if isinstance(name, int) else join_path("session.identityLinks", name)
        ids = value.get("ids") if isinstance(value, Mapping) else value
        if not isinstance(ids, list) or any(not isinstance(each, str) for each in ids):
            yield _warning(
                "skipped-link",
                path,
                what="A part of this link is skipped",
                why="ids are a list of texts",
                fix='Write ["telegram:5", …], with quotes.',
            )


def _link_path(config: Config, group: IdentityGroup, at: int) -> str:
    raw = _session(config).get("identityLinks")
    name = next((each for each in raw if each.strip() == group.name), None) if isinstance(raw, Mapping) else None
    return join_path("session.identityLinks", name) if name is not None else f"session.identityLinks[{at}]"


def _lint_bindings(config: Config) -> Iterator[Finding]:
    raw = config.root.get("bindings")
    agents = config.routing.bindings.agents
    for at, value in enumerate(raw if isinstance(raw, list) else ()):
        match = value.get("match") or {}
        peer = match.get("peer") or {}
        channel = normalize_channel(match.get("channel"))
        path = f"bindings[{at}]"
        if not channel or (peer and not peer.get("id")):
            yield _warning(
                "dead-binding",
                f"{path}.match",
                what="The binding matches nothing",
                why="it names no channel" if not channel else "it names a peer without an id",
                fix='Add channel: "…".' if not channel else 'Add id: "…"; "*" is everybody.',
            )
        elif channel not in config.routing.keys.known_channels:
            why = f'"{channel}" is no channel'
            yield _warning("dead-binding", f"{path}.match.channel", what="The binding matches nothing", why=why)
        agent_id = value.get("agentId")
        if agents and agent_id is not None and normalize_agent_id(str(agent_id)) not in agents:
            yield _warning(
                "unknown-agent",
                f"{path}.agentId",
                what=f"The agent {config.agents.default_id} answers instead",
                why=f'there is no agent "{agent_id}"',
                fix=f"Correct it, or add the agent: known are {_list(agents)}.",
            )


# ---------------------------------------------------------------- when sessions start over, and names of maps


def _lint_reset(config: Config) -> Iterator[Finding]:
    reset = config.reset
    rules = {"session.reset": reset.base, "session": reset.flat}
    rules |= {f"session.resetByType.{name}": rule for name, rule in (reset.by_type or {}).items()}
    rules |= {join_path("session.resetByChannel", name): rule for name, rule in reset.by_channel.items()}
    for path, rule in rules.items():
        if rule is not None and rule.mode == "none" and (rule.idle_s or rule.at_hour is not None):
            yield _warning(
                "reset-without-effect",
                path,
                what="The times have no effect",
                why='the mode is "none"',
                fix='Take them away, or set the mode to "daily" or "idle".',
            )


def _lint_names(config: Config) -> Iterator[Finding]:
    """Channels that do not exist; unknown kinds of chat are unknown names (`check`)."""
    for name in _names(_session(config).get("resetByChannel")):
        if normalize_channel(name) not in config.routing.keys.known_channels:
            path = join_path("session.resetByChannel", name)
            yield _warning("unknown-channel", path, what="It has no effect", why=f'"{name}" is no channel')


def _session(config: Config) -> Mapping[str, object]:
    session = config.root.get("session")
    return session if isinstance(session, Mapping) else {}


def _names(value: object) -> list[str]:
    return list(value) if isinstance(value, Mapping) else []


def _is_word(text: str) -> bool:
    return text.strip().replace("-", "").replace("_", "").isalnum()


def _list(words: frozenset[str]) -> str:
    return ", ".join(sorted(words))


def _critical(code: str, path: str, *, what: str, why: str, fix: str) -> Finding:
    return _finding("critical", code, path, what=what, why=why, fix=fix)


def _warning(code: str, path: str, *, what: str, why: str, fix: str = "") -> Finding:
    return _finding("warning", code, path, what=what, why=why, fix=fix)


def _finding(severity: Severity, code: str, path: str, *, what: str, why: str, fix: str) -> Finding:
    return Finding(code=code, severity=severity, path=path, what=what, why=why, fix=fix)
