"""Every source of ids keeps the same promises, the shipped twin included."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable

import pytest

from instar.ports.ids import IdSource
from instar.system.ids import SystemIds
from instar.testing.ids import SequenceIds

UUIDS = ["session_id", "turn_id", "inbound_id", "delivery_id"]


@pytest.fixture(params=[SystemIds, SequenceIds], ids=["system", "sequence"])
def ids(request: pytest.FixtureRequest) -> IdSource:
    made: IdSource = request.param()
    return made


@pytest.mark.parametrize("name", UUIDS)
def test_long_ids_are_version_four_uuids_in_lower_case(ids: IdSource, name: str) -> None:
    drawn: str = getattr(ids, name)()
    assert uuid.UUID(drawn).version == 4
    assert uuid.UUID(drawn).variant == uuid.RFC_4122
    assert drawn == str(uuid.UUID(drawn))


def test_entry_ids_are_eight_hexadecimal_characters(ids: IdSource) -> None:
    assert all(re.fullmatch("[0-9a-f]{8}", ids.entry_id()) for _ in range(100))


def test_tokens_fit_into_a_url_and_are_long(ids: IdSource) -> None:
    token = ids.token()
    assert re.fullmatch(r"[A-Za-z0-9_-]{43,}", token)


def test_pairing_codes_are_eight_characters_that_nobody_mistakes(ids: IdSource) -> None:
    assert all(re.fullmatch("[A-HJ-NP-Z2-9]{8}", ids.pairing_code()) for _ in range(100))


@pytest.mark.parametrize("name", [*UUIDS, "entry_id", "token", "pairing_code"])
def test_no_id_comes_twice(ids: IdSource, name: str) -> None:
    draw: Callable[[], str] = getattr(ids, name)
    assert len({draw() for _ in range(1000)}) == 1000


def test_kinds_do_not_share_ids(ids: IdSource) -> None:
    assert len({getattr(ids, name)() for name in UUIDS}) == len(UUIDS)


def test_two_sequences_are_equal_and_seeds_set_them_apart() -> None:
    def draw(ids: SequenceIds) -> list[str]:
        return [ids.session_id(), ids.entry_id(), ids.turn_id(), ids.token()]

    assert draw(SequenceIds()) == draw(SequenceIds())
    assert not set(draw(SequenceIds(1))) & set(draw(SequenceIds(2)))


def test_the_system_draws_other_ids_each_time() -> None:
    assert SystemIds().session_id() != SystemIds().session_id()
