"""A story as a value: the setting, and what happens in it, step by step.

Everything that is drawn is in here, so a story can be told, shortened and played again. What a message asks of the
scripted model stands in its own words (``tools=look slow=2``), so a message behaves alike wherever it ends up.

Marks. Each message carries its number as ``w17w`` and a secret of the place it was written in as ``s3s``; each answer
of the model carries its own number as ``a5a`` and repeats the marks of what it answers. By them the checks follow words
through transcripts, prompts and replies.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from instar.core.model.ids import AccountId, ChannelName, Instant
from instar.core.model.message import Chat, ChatType, Inbound, Sender
from instar.ports.channel import Capabilities

__all__ = [
    "CHANNELS",
    "LIMIT_USD",
    "LONG_MARKS",
    "Again",
    "Answer",
    "Call",
    "Configure",
    "Crash",
    "Erase",
    "Falter",
    "Fetch",
    "Harm",
    "Jump",
    "Move",
    "Operate",
    "Operation",
    "Place",
    "Refuse",
    "Restart",
    "Setting",
    "Step",
    "Story",
    "Ticks",
    "Wait",
    "Write",
    "build_inbound",
    "build_places",
    "build_secret",
    "build_text",
    "owner_of",
    "read_secret",
]

CHANNELS: Mapping[str, Capabilities] = {
    "brook": Capabilities(pulls=True, tells_repeats=True),
    "pond": Capabilities(text_max_chars=90),
    "tide": Capabilities(tells_repeats=True),
}
"""The channels of a story: one whose far side fetches, one that cannot tell a repeat and takes short texts, one that
knows a reply again."""


Budget = Literal["", "day", "person", "session"]
"""What a budget that stops counts: everything of a day, what one person spends in a day, a life of a session."""

LIMIT_USD = 4 / 64
"""What a budget allows: a few requests. Sums of it are exact."""

LONG_MARKS = 1_000
"""Where marks begin that are to be erased: they must be long enough to be looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Who there is, and how the gateway is configured. The defaults make the plainest world.

    `paired` have to be let in by the owner, and every group too with `paired_groups`; `stand_ins` are models that
    answer when the first one cannot; `erasable` are people whose words may have to go.
    """

    people: tuple[str, ...] = ("ann",)
    channels: tuple[str, ...] = ("brook",)
    groups: tuple[str, ...] = ()
    threads: bool = False
    linked: tuple[str, ...] = ()
    shut_out: tuple[str, ...] = ()
    dm_scope: str = "per-channel-peer"
    activation: str = "always"
    queue_mode: str = "steer"
    debounce_ms: int = 0
    cap: int = 20
    drop: str = "summarize"
    max_concurrent: int = 64
    reset_mode: str = "none"
    reset_hour: int = 4
    idle_minutes: int = 0
    window_tokens: int = 200_000
    maintained: bool = False
    max_messages: int = 0
    truncates: bool = False
    mirrored: bool = False
    flushed: bool = False
    zone: str = "UTC"
    paired: tuple[str, ...] = ()
    paired_groups: bool = False
    budget: Budget = ""
    stand_ins: int = 0
    erasable: bool = False

    def raw(self) -> dict[str, object]:
        """The configuration as it would stand in a file."""
        reset: dict[str, object] = {"mode": self.reset_mode, "atHour": self.reset_hour}
        if self.idle_minutes:
            reset["idleMinutes"] = self.idle_minutes
        session: dict[str, object] = {
            "dmScope": self.dm_scope,
            "reset": reset,
            "identityLinks": {
                name: [f"{channel}:{name}-{channel}" for channel in self.channels] for name in self.linked
            },
        }
        if self.maintained:
            session["maintenance"] = {"mode": "enforce", "pruneAfter": "2d", "maxEntries": 2}
        if self.max_messages:
            session["maxMessages"] = self.max_messages
            session["compaction"] = "truncate" if self.truncates else "summarize"
        small = self.window_tokens < 20_000
        compaction: dict[str, object] = (
            {"reserveTokens": 600, "reserveTokensFloor": 0, "keepRecentTokens": 500} if small else {}
        )
        compaction["memoryFlush"] = {"enabled": self.flushed, "softThresholdTokens": 400}
        return {
            "session": session,
            "channels": {name: self._channel(name) for name in self.channels},
            "messages": {
                "queue": {"mode": self.queue_mode, "debounceMs": self.debounce_ms, "cap": self.cap, "drop": self.drop}
            },
            "agents": {"defaults": {"maxConcurrent": self.max_concurrent, "compaction": compaction}},
            **({"budgets": [self._budget()]} if self.budget else {}),
        }

    def _budget(self) -> dict[str, object]:
        per = "session" if self.budget == "session" else "day"
        match = {"person": self.budget_person} if self.budget == "person" else {}
        return {"match": match, "per": per, "limitUsd": LIMIT_USD, "action": "stop"}

    @property
    def budget_person(self) -> str:
        """Whose budget it is where it is one person's: the first one's, as the ledger names them."""
        name = self.people[0]
        return name if name in self.linked else f"{self.channels[0]}:{name}-{self.channels[0]}"

    def _channel(self, name: str) -> dict[str, object]:
        admitted = [f"{person}-{name}" for person in self.people if person not in {*self.shut_out, *self.paired}]
        policy: dict[str, object] = {"dmPolicy": "open"}
        if self.paired or self.shut_out:
            policy = {"dmPolicy": "pairing" if self.paired else "allowlist", "allowFrom": admitted}
        groups = "pairing" if self.paired_groups else "open"
        return {"type": "bridge", "token": "t", "groupPolicy": groups, "activation": self.activation, **policy}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One person in one chat; its index in `build_places` is its secret."""

    index: int
    person: str
    channel: str
    chat_type: ChatType
    chat_id: str
    thread_id: str | None = None

    @property
    def sender_id(self) -> str:
        """The person as this channel calls them."""
        return f"{self.person}-{self.channel}"


def build_places(setting: Setting) -> tuple[Place, ...]:
    """Every place somebody may write in, in a fixed order."""
    found: list[Place] = []
    for channel in setting.channels:
        for person in setting.people:
            found.append(
                Place(
                    index=len(found),
                    person=person,
                    channel=channel,
                    chat_type="direct",
                    chat_id=f"{person}-{channel}",
                )
            )
        for group in setting.groups:
            for thread in (None, "t1") if setting.threads else (None,):
                for person in setting.people:
                    found.append(
                        Place(
                            index=len(found),
                            person=person,
                            channel=channel,
                            chat_type="group",
                            chat_id=group,
                            thread_id=thread,
                        )
                    )
    return tuple(found)


def owner_of(setting: Setting, place: Place) -> str:
    """Whose session a place belongs to, in words of the story; the checks' own idea of routing (KEY-2, LINK-6)."""
    if place.chat_type != "direct":
        return f"{place.channel}/{place.chat_id}/{place.thread_id}"
    if setting.dm_scope == "main":
        return "main"
    if place.person in setting.linked:
        return place.person
    return f"{place.channel}/{place.sender_id}" if setting.dm_scope != "per-peer" else place.sender_id


# --- steps ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """Somebody writes. `command` stands in front of the words, or alone when `is_bare`.

    The channel hands the message over `late_s` afterwards, so messages may come in another order; `age_s` is how old
    it is by the platform's own clock.
    """

    number: int
    place: int
    wish: str = ""
    command: str = ""
    is_bare: bool = False
    mentioned: bool = True
    age_s: int = 0
    late_s: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """The channel delivers a message once more."""

    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A client sends a message into the session of a place, under a run id of its own."""

    number: int
    place: int
    wish: str = ""
    deliver: bool = False
    queue_mode: str | None = None
    timeout_ms: int | None = None


Operation = Literal[
    "abort",
    "abort-run",
    "clean",
    "compact",
    "create",
    "delete",
    "delete-keep",
    "inject",
    "keep-lines",
    "list",
    "new",
    "patch-queue",
    "patch-send",
    "redo",
    "reset",
    "resume",
    "restore",
    "undo",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operate:
    """A client asks for something to be done with the session of a place."""

    operation: Operation
    place: int
    argument: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """So much time passes; with 0 only what can happen now happens."""

    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticks:
    """The gateway gets a few turns of its loop and is then interrupted by the next step."""

    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Jump:
    """The wall clock is set, forwards or back."""

    seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """The host's time zone changes."""

    zone: str


Harm = Literal["", "cut", "flip"]
"""What a crash does to a file of the mirror: nothing, its end is lost, or a byte of it is another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Crash:
    """The process will die: after so many things done to the world, or after so many turns of its loop.

    It is started again `down_s` later. A `ghost` is a process that only seemed dead: its turns go on beside the new
    gateway, and the store has to refuse what they write. The next one dies too, after `again` things that it did,
    the first of which are those of its recovery; 0 lets it live.
    """

    steps: int = 0
    ticks: int = 0
    again: int = 0
    down_s: int = 0
    ghost: bool = False
    harm: Harm = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restart:
    """The gateway is stopped in good order and started again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuse:
    """The store refuses every write for a while."""

    seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Falter:
    """The next sendings of a channel go wrong, one after the other, as the words say."""

    channel: str
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetch:
    """The far side of a fetching channel asks for its replies. `lost` says what is lost on the way."""

    channel: str
    count: int = 20
    lost: Literal["", "answer", "receipt"] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Configure:
    """The configuration is reloaded with another queue mode."""

    queue_mode: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The owner answers a pairing code that waits, the one at `pick` of them, or one that nobody was told.

    ``revoke`` takes an approval back.
    """

    verb: Literal["approve", "reject", "revoke", "wrong"]
    pick: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Erase:
    """The person of a place asks to be forgotten, as their channel knows them."""

    place: int


Passing = Jump | Move | Crash | Restart | Refuse | Falter | Configure
"""What befalls the gateway."""

Step = Write | Again | Call | Operate | Wait | Ticks | Fetch | Answer | Erase | Passing


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What happens. `seed` names it."""

    seed: int
    setting: Setting
    steps: tuple[Step, ...]

    @property
    def has_fanout(self) -> bool:
        """Whether turns of one session may run side by side at any time: the mode may come from anywhere."""
        return self.setting.queue_mode == "fanout" or any("fanout" in str(step) for step in self.steps)


# --- messages ---------------------------------------------------------------------------------------------------------


def build_secret(setting: Setting, place: int) -> str:
    """The secret of a place, as everything that is written there holds it."""
    return f"s{place + (LONG_MARKS if setting.erasable else 0)}s"


def read_secret(setting: Setting, secret: str) -> int:
    """The place that a secret belongs to."""
    return int(secret[1:-1]) - (LONG_MARKS if setting.erasable else 0)


def build_text(step: Write | Call, setting: Setting) -> str:
    """What is written: a command, the two marks, and what is asked of the model."""
    if isinstance(step, Write) and step.is_bare:
        return step.command
    command = step.command if isinstance(step, Write) else ""
    marks = (f"w{step.number}w", build_secret(setting, step.place))
    return " ".join(part for part in (command, *marks, step.wish) if part)


def build_inbound(step: Write, place: Place, *, setting: Setting, now: int) -> Inbound:
    """The message as its channel hands it over."""
    return Inbound(
        channel=ChannelName(place.channel),
        account_id=AccountId("default"),
        message_id=f"m{step.number}",
        chat=Chat(type=place.chat_type, id=place.chat_id, thread_id=place.thread_id),
        sender=Sender(id=place.sender_id, name=place.person.title()),
        text=build_text(step, setting),
        mentioned=step.mentioned if place.chat_type != "direct" else None,
        at=Instant(now - step.age_s * 1000) if step.age_s else None,
    )
