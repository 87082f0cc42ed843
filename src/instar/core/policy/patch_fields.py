"""The single fields of `sessions.patch`: what each may say, and how it is stored (PATCH-4…14).

What belongs here: reading one field over the session it is for. What does not: what fields mean together
(`instar.core.policy.patch`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from instar.core.model.ids import Instant, SessionKey
from instar.core.model.session import Session
from instar.core.policy.activation import parse_activation_mode
from instar.core.policy.levels import parse_elevated, parse_reasoning, parse_thinking, parse_usage, parse_verbose
from instar.core.policy.model_choice import ModelNames, find_model
from instar.core.policy.send import parse_send_verdict
from instar.core.queue.settings import parse_queue_drop, parse_queue_mode
from instar.core.routing.key import DEFAULT_MAIN_KEY, is_main_key, parse_key

__all__ = ["FIELD_READERS", "LABEL_MAX_CHARS", "FieldReader", "Fields", "PatchFacts", "parse_label"]

LABEL_MAX_CHARS: Final = 64
"""The longest label (PATCH-4)."""

_NUMBER_MAX: Final = 2**53 - 1
"""The largest whole number that every reader of JSON keeps exactly."""

Fields = Mapping[str, object]
"""Stored fields by their name in files; None removes one."""

Read = Fields | str
"""What a field of a patch says, or why it cannot be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchFacts:
    """What the decision looks at. `session` is None for a key without one (PATCH-3).

    `label_holder` is the session that has the label of the patch now, None if it is free. `models` None means that the
    catalogue cannot be asked now; `xhigh_models` are the ``provider/model`` that think at level xhigh. `levels_below`
    are the levels that hold where the session says nothing, by their fields; what is not there is off.
    """

    key: SessionKey
    now: Instant
    session: Session | None = None
    label_holder: SessionKey | None = None
    models: ModelNames | None = None
    xhigh_models: frozenset[str] = frozenset()
    is_admin: bool = False
    main_key: str = DEFAULT_MAIN_KEY
    levels_below: Mapping[str, object] = field(default_factory=dict)


def parse_label(value: object) -> str | None:
    """A label, trimmed; None if it is no text of 1 to 64 characters (PATCH-4)."""
    if not isinstance(value, str):
        return None
    label = value.strip()
    return label if 0 < len(label) <= LABEL_MAX_CHARS else None


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldReader:
    """How one field is read, and the rule that says so. `read` gives stored fields, or why it cannot be used."""

    rule: str
    read: Callable[[object, PatchFacts], Read]


def _word(
    name: str, parse: Callable[[str], str | None], *, wanted: str, removes: str | None = None
) -> Callable[[object, PatchFacts], Read]:
    """A reader for a word that `parse` understands; null and the word `removes` take the field away.

    Where something else holds without the field, `removes` is stored: taking the field away would switch it on.
    """

    def read(value: object, facts: PatchFacts) -> Read:
        if value is None:
            return {name: None}
        found = parse(value) if isinstance(value, str) else None
        if found is None:
            return f"must be one of {wanted}"
        is_default = found == removes and facts.levels_below.get(name, removes) == removes
        return {name: None if is_default else found}

    return read


def _choice(field: str, words: str) -> Callable[[object, PatchFacts], Read]:
    """A reader for one of the words of `words`, which are parted by blanks."""
    known = frozenset(words.split())

    def parse(text: str) -> str | None:
        word = text.strip().lower()
        return word if word in known else None

    return _word(field, parse, wanted=words.replace(" ", ", "))


def _whole(field: str, *, least: int) -> Callable[[object, PatchFacts], Read]:
    def read(value: object, _facts: PatchFacts) -> Read:
        if value is None:
            return {field: None}
        number = _whole_number(value)
        is_usable = number is not None and least <= number <= _NUMBER_MAX
        return {field: number} if is_usable else f"must be a whole number from {least} to {_NUMBER_MAX}"

    return read


def _read_label(value: object, facts: PatchFacts) -> Read:
    if value is None:
        return {"label": None}
    label = parse_label(value)
    if label is None:
        return f"must be text of 1 to {LABEL_MAX_CHARS} characters"
    if facts.label_holder not in {None, facts.key}:
        return f"the label is in use by {facts.label_holder}"
    return {"label": label}


_NO_MODEL: Final[Fields] = {
    "providerOverride": None,
    "modelOverride": None,
    "authProfileOverride": None,
    "authProfileOverrideSource": None,
}


def _read_model(value: object, facts: PatchFacts) -> Read:
    if value is None:
        return _NO_MODEL
    if not isinstance(value, str) or not value.strip():
        return "must be text"
    names = facts.models or ModelNames()
    model = find_model(value.strip(), names)
    if model is None:
        return f"no allowed model is called {value.strip()[:_SHOWN_CHARS]!r}"
    if model == names.default:
        return _NO_MODEL
    provider, _, model_id = model.partition("/")
    return {**_NO_MODEL, "providerOverride": provider, "modelOverride": model_id}


def _read_thinking(value: object, _facts: PatchFacts) -> Read:
    if value is None:
        return {"thinkingLevel": None}
    word = parse_thinking(value) if isinstance(value, str) else None
    if word is None:
        return "must be one of off, minimal, low, medium, high, xhigh"
    return {"thinkingLevel": word.level} | ({"reasoningLevel": word.reasoning} if word.reasoning else {})


def _read_exec_node(value: object, _facts: PatchFacts) -> Read:
    if value is None:
        return {"execNode": None}
    return {"execNode": value.strip()} if isinstance(value, str) and value.strip() else "must not be empty"


def _read_sandbox(value: object, _facts: PatchFacts) -> Read:
    return {"sandboxMode": value} if value is None or isinstance(value, bool) else "must be true or false"


def _read_spawned_by(value: object, facts: PatchFacts) -> Read:
    if value is not None and not (isinstance(value, str) and value.strip()):
        return "must be a session key"
    known = facts.session.origin.spawned_by if facts.session else None
    return _set_once("spawnedBy", value.strip() if isinstance(value, str) else None, known, facts)


def _read_spawn_depth(value: object, facts: PatchFacts) -> Read:
    depth = None if value is None else _whole_number(value)
    if value is not None and (depth is None or not 0 <= depth <= _NUMBER_MAX):
        return f"must be a whole number from 0 to {_NUMBER_MAX}"
    return _set_once("spawnDepth", depth, facts.session.origin.spawn_depth if facts.session else None, facts)


def _set_once(field: str, value: object, known: object, facts: PatchFacts) -> Read:
    """Where a session came from is said once, when it is spawned (PATCH-13)."""
    if parse_key(facts.key, main_key=facts.main_key).type != "subagent":
        return "only sub-agent sessions have it"
    return {field: value} if known in {None, value} else "cannot be changed once it is set"


def _read_archived(value: object, facts: PatchFacts) -> Read:
    if value is not None and not isinstance(value, bool):
        return "must be true or false"
    if not value:
        return {"archivedAt": None}
    if is_main_key(facts.key, main_key=facts.main_key):
        return "the main session cannot be archived"
    known = facts.session.lifecycle.archived_at if facts.session else None
    return {"archivedAt": facts.now if known is None else known, "pinnedAt": None}


def _read_pinned(value: object, facts: PatchFacts) -> Read:
    if value is not None and not isinstance(value, bool):
        return "must be true or false"
    known = facts.session.lifecycle.pinned_at if facts.session else None
    return {"pinnedAt": (facts.now if known is None else known) if value else None}


def _read_unread(value: object, facts: PatchFacts) -> Read:
    if value is not None and not isinstance(value, bool):
        return "must be true or false"
    return {"markedUnreadAt": facts.now} if value else {"markedUnreadAt": None, "lastReadAt": facts.now}


def _whole_number(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
        return None
    return int(value)


_SHOWN_CHARS: Final = 60

_MODES: Final = "always, mention, command"

FIELD_READERS: Final[Mapping[str, FieldReader]] = {
    "label": FieldReader(rule="PATCH-4", read=_read_label),
    "model": FieldReader(rule="PATCH-5", read=_read_model),
    "thinkingLevel": FieldReader(rule="PATCH-6", read=_read_thinking),
    "reasoningLevel": FieldReader(
        rule="PATCH-7", read=_word("reasoningLevel", parse_reasoning, wanted="on, stream, off", removes="off")
    ),
    "verboseLevel": FieldReader(rule="PATCH-7", read=_word("verboseLevel", parse_verbose, wanted="on, off, full")),
    "elevatedLevel": FieldReader(
        rule="PATCH-7", read=_word("elevatedLevel", parse_elevated, wanted="on, off, ask, full")
    ),
    "responseUsage": FieldReader(
        rule="PATCH-7", read=_word("responseUsage", parse_usage, wanted="tokens, full, off", removes="off")
    ),
    "execHost": FieldReader(rule="PATCH-8", read=_choice("execHost", "sandbox gateway node")),
    "execSecurity": FieldReader(rule="PATCH-8", read=_choice("execSecurity", "deny allowlist full")),
    "execAsk": FieldReader(rule="PATCH-8", read=_choice("execAsk", "off on-miss always")),
    "execNode": FieldReader(rule="PATCH-8", read=_read_exec_node),
    "sandboxMode": FieldReader(rule="PATCH-9", read=_read_sandbox),
    "queueMode": FieldReader(
        rule="PATCH-10",
        read=_word("queueMode", parse_queue_mode, wanted="steer, followup, collect, interrupt, fanout, steer-backlog"),
    ),
    "queueDebounceMs": FieldReader(rule="PATCH-10", read=_whole("queueDebounceMs", least=0)),
    "queueCap": FieldReader(rule="PATCH-10", read=_whole("queueCap", least=1)),
    "queueDrop": FieldReader(rule="PATCH-10", read=_word("queueDrop", parse_queue_drop, wanted="old, new, summarize")),
    "activationMode": FieldReader(rule="PATCH-11", read=_word("groupActivation", parse_activation_mode, wanted=_MODES)),
    "groupActivation": FieldReader(
        rule="PATCH-11", read=_word("groupActivation", parse_activation_mode, wanted=_MODES)
    ),
    "sendPolicy": FieldReader(rule="PATCH-12", read=_word("sendPolicy", parse_send_verdict, wanted="allow, deny")),
    "spawnedBy": FieldReader(rule="PATCH-13", read=_read_spawned_by),
    "spawnDepth": FieldReader(rule="PATCH-13", read=_read_spawn_depth),
    "archived": FieldReader(rule="PATCH-14", read=_read_archived),
    "pinned": FieldReader(rule="PATCH-14", read=_read_pinned),
    "unread": FieldReader(rule="PATCH-14", read=_read_unread),
}
