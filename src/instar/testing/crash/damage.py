"""A database whose bytes were harmed: is it said, and does the rest go on (LOSS-10)?

What is gone from a disk cannot come back. So the question of each trial is another one than that of a campaign: the
gateway either refuses to start, in words and without touching a byte, or it starts, answers what it can still read,
refuses the rest in words, takes new messages, and the doctor names the damage. Never a traceback, never silence.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Final

from instar.testing.crash.harm import flip_bits, tear
from instar.testing.crash.ledger import format_token
from instar.testing.crash.process import GatewayUnderFire, ask_doctor, find_port
from instar.testing.crash.verdict import check_soundness, copy_files, find_missing
from instar.testing.crash.web import Unanswered, ask
from instar.testing.simulate.dice import Dice

__all__ = ["DATABASE_HARMS", "KilledState", "Trial", "make_killed_state", "try_damaged"]

_PAGE: Final = 4096
_INBOUND: Final = "/channels/telegram/inbound"
_MIRRORED_S: Final = 1.5
"""After that long the mirror's files hold what was said before."""


def _zero_page(path: Path, dice: Dice) -> None:
    """One page of NULs, as a disk gives back that has lost a block."""
    pages = max(1, path.stat().st_size // _PAGE)
    with path.open("r+b") as file:
        file.seek(dice.below(pages) * _PAGE)
        file.write(bytes(_PAGE))


def _spoil_head(path: Path, dice: Dice) -> None:
    """The first bytes are those of something else."""
    del dice
    with path.open("r+b") as file:
        file.write(b"\xa5" * 64)


def _empty(path: Path, dice: Dice) -> None:
    """Nothing is left in it."""
    del dice
    path.write_bytes(b"")


_Harm = Callable[[Path, Dice], None]

DATABASE_HARMS: Final[Mapping[str, tuple[str, _Harm]]] = {
    "bits of the database flipped": ("", flip_bits),
    "a page of the database zeroed": ("", _zero_page),
    "the database torn": ("", tear),
    "the head of the database spoiled": ("", _spoil_head),
    "the database emptied": ("", _empty),
    "bits of the log flipped": ("-wal", flip_bits),
    "a page of the log zeroed": ("-wal", _zero_page),
    "the log torn": ("-wal", tear),
    "the log removed": ("-wal", lambda path, _: path.unlink()),
}
"""Each harm with the suffix of the file that it is done to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KilledState:
    """A state directory as a kill left it, part in the database and part in its log, and what was acknowledged."""

    state_dir: Path
    config: Mapping[str, object]
    told: list[str]


async def make_killed_state(folder: Path, *, config: Mapping[str, object], messages: int = 16) -> KilledState:
    """Two lives: one that was told to stop, whose log went home, and one that was killed. No sender is in doubt."""
    gateway = GatewayUnderFire(folder, config, port=find_port())
    told = []
    for life in range(2):
        await gateway.launch()
        await gateway.wait_ready()
        for number in range(messages):
            token = format_token(f"tom{4 * (number % 8)}", life * messages + number)
            status, _ = await ask(gateway.port, "POST", _INBOUND, _message(token))
            told += [token] if status == 200 else []
        await asyncio.sleep(_MIRRORED_S)
        await (gateway.stop() if life == 0 else gateway.kill())
    return KilledState(state_dir=gateway.state_dir, config=config, told=told)


def _message(token: str) -> dict[str, object]:
    name = token.strip("{}").partition("-")[0]
    return {"messageId": token, "chat": {"type": "direct"}, "sender": {"id": name}, "text": token}


@dataclass(slots=True, kw_only=True)
class Trial:
    """What became of a damaged database. `lost` are acknowledged messages that no row holds any more; of them
    `kept` still stand in files of the mirror that were set aside. `findings` are breaches.
    """

    harm: str
    is_refused: bool = False
    sentence: str = ""
    is_damage_told: bool = False
    lost: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    answers: dict[int, int] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)


async def try_damaged(state: KilledState, folder: Path, harm: str, dice: Dice) -> Trial:
    """Harm a copy of a state directory, and start a gateway on it. Raises TimeoutError for one that hangs."""
    trial = Trial(harm=harm)
    logs = shutil.ignore_patterns("logs")
    await asyncio.to_thread(shutil.copytree, state.state_dir, folder / "state", ignore=logs)
    gateway = GatewayUnderFire(folder, state.config, port=find_port())
    suffix, do_harm = DATABASE_HARMS[harm]
    path = gateway.database.with_name(gateway.database.name + suffix)
    if not path.is_file():
        trial.findings.append(f"there is no {path.name} to harm")
        return trial
    do_harm(path, dice)
    before = _digest(gateway.database)
    await gateway.launch()
    try:
        if await gateway.wait_ready():
            await _talk(gateway, trial)
            await gateway.stop()
        else:
            _judge_refusal(gateway, trial, await gateway.wait_end(), is_same=_digest(gateway.database) == before)
    finally:
        await gateway.kill()
    await _look(gateway, folder, trial, state.told)
    return trial


async def _talk(gateway: GatewayUnderFire, trial: Trial) -> None:
    """Everybody writes once more, and somebody new: each gets an acknowledgement, or is told why not."""
    for name in ("new1", *(f"tom{number}" for number in range(0, 32, 4))):
        token = format_token(name, 1000)
        try:
            status, answer = await ask(gateway.port, "POST", _INBOUND, _message(token))
        except Unanswered:
            trial.findings.append(f"nobody answered {token}")
            continue
        trial.answers[status] = trial.answers.get(status, 0) + 1
        if status not in {200, 503} or (status == 503 and "." not in str(answer.get("error"))):
            trial.findings.append(f"{token} was answered {status} {dict(answer)}")
    await asyncio.sleep(1)
    if not gateway.is_alive:
        trial.findings.append("the gateway ended by itself")


def _judge_refusal(gateway: GatewayUnderFire, trial: Trial, code: int, *, is_same: bool) -> None:
    trial.is_refused = True
    trial.sentence = gateway.errors.strip().splitlines()[-1] if gateway.errors.strip() else ""
    if code != 1 or not trial.sentence.startswith("instar: "):
        trial.findings.append(f"it ended with {code} and said {trial.sentence!r}")
    if not is_same:
        trial.findings.append("it refused the database and changed it all the same")


async def _look(gateway: GatewayUnderFire, folder: Path, trial: Trial, told: list[str]) -> None:
    """What is lost, and whether it was said."""
    log = gateway.state_dir / "logs" / "gateway.log"
    said = gateway.errors + (log.read_text(encoding="utf-8", errors="replace") if log.is_file() else "")
    trial.findings += [f"a traceback: …{part[:300]}" for part in said.split("Traceback")[1:3]]
    found = await ask_doctor(gateway)
    trial.is_damage_told = any("database-damaged" in one for one in found)
    if trial.is_refused:
        trial.findings += [] if found else ["the gateway refuses it and the doctor finds nothing"]
        return
    copy = await asyncio.to_thread(copy_files, gateway.database, folder / "copy")
    is_sound = not await asyncio.to_thread(check_soundness, copy)
    if is_sound == trial.is_damage_told:
        trial.findings.append(f"the database is {'sound' if is_sound else 'damaged'} and the doctor says the contrary")
    if is_sound:
        trial.lost = await asyncio.to_thread(find_missing, copy, told)
    aside = [path.read_text(encoding="utf-8", errors="replace") for path in gateway.state_dir.rglob("*.conflict.*")]
    trial.kept = [token for token in trial.lost if any(token in text for text in aside)]
    if trial.lost and not (found or "mirror_conflict" in said or "store_log_damaged" in said):
        trial.findings.append(f"{len(trial.lost)} acknowledged messages are gone, and nobody said so")


def _digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()
