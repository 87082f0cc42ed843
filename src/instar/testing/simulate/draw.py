"""From a seed to a story: what may happen, and how often.

The weights make most stories busy: several messages for one session at once, something slow under way, and a crash or
a full disk in the middle. Everything is drawn from the seed and nothing else.
"""

from __future__ import annotations

from instar.testing.simulate.dice import Dice
from instar.testing.simulate.draw_beside import draw_beside
from instar.testing.simulate.story import (
    CHANNELS,
    Again,
    Call,
    Configure,
    Crash,
    Falter,
    Fetch,
    Harm,
    Jump,
    Move,
    Operate,
    Operation,
    Refuse,
    Restart,
    Setting,
    Step,
    Story,
    Ticks,
    Wait,
    Write,
    build_places,
)

__all__ = ["draw_story"]

QUEUE_MODES = ("steer", "followup", "collect", "interrupt", "fanout", "steer-backlog")
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Kiritimati")
SMALL_WINDOW = 3_000

_BARE_COMMANDS = (
    (6, "/stop"),
    (2, "stop"),
    (4, "/new"),
    (3, "/reset"),
    (2, "/status"),
    (3, "/compact"),
    (2, "/compact undo"),
    (3, "/resume"),
    (1, "/why"),
    (1, "/whoami"),
    (2, "/pin"),
    (1, "/name Harbour"),
    (1, "/help"),
    (2, "/queue collect"),
    (2, "/queue interrupt"),
    (1, "/queue fanout"),
    (1, "/queue default"),
    (1, "/send off"),
    (1, "/send on"),
    (1, "/reset soft"),
)

_OPERATIONS: tuple[tuple[int, Operation], ...] = (
    (4, "abort"),
    (2, "abort-run"),
    (3, "reset"),
    (2, "new"),
    (3, "delete"),
    (1, "delete-keep"),
    (4, "compact"),
    (2, "undo"),
    (1, "keep-lines"),
    (2, "resume"),
    (2, "restore"),
    (1, "redo"),
    (2, "inject"),
    (2, "patch-queue"),
    (1, "patch-send"),
    (2, "clean"),
    (1, "create"),
    (2, "list"),
)

_FAULTS = ("auth", "server", "overloaded", "rejected", "cut", "rate_limit", "reset")


def draw_story(seed: int) -> Story:
    """The story that a seed stands for."""
    dice = Dice(seed)
    setting = _draw_setting(dice)
    drawer = _Drawer(dice, setting)
    steps: list[Step] = []
    for _ in range(dice.between(8, 36)):
        steps += drawer.draw()
    steps += drawer.draw_last()
    return draw_beside(Story(seed=seed, setting=setting, steps=tuple(steps)))


def _draw_setting(dice: Dice) -> Setting:
    people = ("ann", "bob", "cem")[: dice.between(1, 3)]
    channels = tuple(name for name in CHANNELS if dice.chance(50)) or (dice.pick(tuple(CHANNELS)),)
    reset_mode = dice.weighted(((3, "none"), (3, "daily"), (3, "idle")))
    return Setting(
        people=people,
        channels=channels,
        groups=("g1",) if dice.chance(40) else (),
        threads=dice.chance(50),
        linked=("ann",) if dice.chance(30) else (),
        shut_out=("cem",) if dice.chance(15) else (),
        dm_scope=dice.weighted(
            ((3, "main"), (3, "per-peer"), (4, "per-channel-peer"), (1, "per-account-channel-peer"))
        ),
        activation=dice.weighted(((3, "always"), (1, "mention"))),
        queue_mode=dice.pick(QUEUE_MODES),
        debounce_ms=dice.pick((0, 0, 500, 2_000)),
        cap=dice.pick((20, 20, 2, 1)),
        drop=dice.pick(("summarize", "old", "new")),
        max_concurrent=dice.pick((64, 64, 1)),
        reset_mode=reset_mode,
        reset_hour=dice.between(0, 23),
        idle_minutes=dice.pick((1, 5, 60)) if reset_mode == "idle" else 0,
        window_tokens=SMALL_WINDOW if dice.chance(50) else 200_000,
        maintained=dice.chance(30),
        max_messages=dice.pick((0, 0, 0, 6)),
        mirrored=dice.chance(40),
        flushed=dice.chance(40),
        zone=dice.pick(ZONES),
    )


class _Drawer:
    """Draws steps; remembers which numbers were given."""

    def __init__(self, dice: Dice, setting: Setting) -> None:
        self._dice = dice
        self._setting = setting
        self._places = build_places(setting)
        # Most of a story happens in a few places, or nothing would ever meet.
        self._busy = tuple(dice.below(len(self._places)) for _ in range(2))
        self._numbers = 0

    def draw(self) -> tuple[Step, ...]:
        """What happens next; several steps where they belong together."""
        dice = self._dice
        kind = dice.weighted(
            (
                (30, "write"),
                (10, "burst"),
                (12, "command"),
                (7, "again"),
                (8, "call"),
                (12, "operate"),
                (28, "wait"),
                (14, "ticks"),
                (5, "jump"),
                (2, "move"),
                (12, "crash"),
                (3, "restart"),
                (4, "refuse"),
                (5, "falter"),
                (10, "fetch"),
                (2, "configure"),
            )
        )
        if kind == "burst":
            place = self._place()
            return tuple(self._write(place) for _ in range(dice.between(2, 5)))
        return (self._one(kind),)

    def _one(self, kind: str) -> Step:
        if kind == "write":
            return self._write(self._place())
        if kind == "command":
            return self._command()
        if kind == "again":
            return Again(number=self._dice.between(1, max(1, self._numbers)))
        if kind == "call":
            return self._call()
        if kind == "operate":
            argument = self._dice.pick(QUEUE_MODES) if self._dice.chance(50) else ""
            return Operate(operation=self._dice.weighted(_OPERATIONS), place=self._place(), argument=argument)
        return self._passing(kind)

    def draw_last(self) -> tuple[Step, ...]:
        """Sometimes a crash when all is said, which nothing later makes good."""
        if not self._dice.chance(20):
            return ()
        return (Wait(seconds=10), Crash(ticks=1, harm=self._dice.pick(("cut", "cut", "flip"))))

    def _passing(self, kind: str) -> Step:
        """Time, and what befalls the gateway."""
        dice = self._dice
        if kind == "ticks":
            return Ticks(count=dice.pick((1, 2, 3, 5, 8, 13, 21, 40)))
        if kind == "jump":
            seconds = dice.pick((-86_400, -3_600, -60, 60, 3_600, 86_400, 5 * 86_400))
            return Jump(seconds=seconds)
        if kind == "move":
            return Move(zone=dice.pick(ZONES))
        if kind == "crash":
            return self._crash()
        if kind == "restart":
            return Restart()
        if kind == "refuse":
            return Refuse(seconds=dice.pick((1, 5, 30)))
        if kind == "falter":
            faults = ("busy", "gone", "slow", "silent", "late")
            return Falter(
                channel=dice.pick(self._setting.channels),
                faults=tuple(dice.pick(faults) for _ in range(dice.between(1, 3))),
            )
        if kind == "fetch":
            lost = dice.weighted(((5, ""), (1, "answer"), (2, "receipt")))
            return Fetch(channel=dice.pick(self._setting.channels), lost=lost)  # type: ignore[arg-type]  # one of its words
        if kind == "configure":
            return Configure(queue_mode=dice.pick(QUEUE_MODES))
        return Wait(seconds=dice.pick((0, 0, 0, 0.2, 1, 3, 10, 70, 700, 4_000, 90_000)))

    def _crash(self) -> Crash:
        dice = self._dice
        down = dice.pick((0, 0, 0, 5, 700))
        ghost = dice.chance(15)
        harm: Harm = dice.weighted(((4, ""), (3, "cut"), (1, "flip")))
        if dice.chance(70):
            return Crash(steps=dice.between(1, 30), down_s=down, ghost=ghost, harm=harm)
        return Crash(ticks=dice.between(1, 60), down_s=down, ghost=ghost, harm=harm)

    def _place(self) -> int:
        return self._dice.pick(self._busy) if self._dice.chance(80) else self._dice.below(len(self._places))

    def _number(self) -> int:
        self._numbers += 1
        return self._numbers

    def _write(self, place: int) -> Write:
        age = self._dice.pick((0, 0, 0, 30, 90_000))
        late = self._dice.pick((0, 0, 0, 0, 1, 5, 700))
        return Write(
            number=self._number(),
            place=place,
            wish=self._wish(),
            mentioned=self._dice.chance(70),
            age_s=age,
            late_s=late,
        )

    def _command(self) -> Write:
        dice = self._dice
        if dice.chance(20):
            command = dice.pick(("/new", "/reset", "/reset soft"))
            return Write(number=self._number(), place=self._place(), wish=self._wish(), command=command)
        command = dice.weighted(_BARE_COMMANDS)
        return Write(number=self._number(), place=self._place(), command=command, is_bare=True)

    def _call(self) -> Call:
        dice = self._dice
        return Call(
            number=self._number(),
            place=self._place(),
            wish=self._wish(),
            deliver=dice.chance(30),
            queue_mode=dice.pick(QUEUE_MODES) if dice.chance(30) else None,
            timeout_ms=2_000 if dice.chance(10) else None,
        )

    def _wish(self) -> str:
        """What the message asks of the model."""
        dice = self._dice
        wishes: list[str] = []
        if dice.chance(35):
            tools = "+".join(dice.pick(("look", "look", "slow", "crash", "hang")) for _ in range(dice.between(1, 2)))
            wishes.append(f"tools={tools}")
            if dice.chance(30):
                wishes.append("rounds=2")
        if dice.chance(45):
            wishes.append(f"slow={dice.pick((1, 2, 5, 30))}")
        if dice.chance(25):
            wishes.append(f"long={dice.pick((100, 400, 1_500))}")
        if dice.chance(12):
            wishes.append(f"fault={dice.pick(_FAULTS)}")
        if dice.chance(8):
            wishes.append(f"overflow={dice.between(1, 5)}")
        if dice.chance(4):
            wishes.append("hang")
        if dice.chance(4):
            wishes.append("silent")
        if dice.chance(4):
            wishes.append("empty")
        return " ".join(wishes)
