import pytest

from instar.errors import (
    Forbidden,
    InstarError,
    InvalidRequest,
    InvariantBroken,
    NotFound,
    StoreError,
    StoreFull,
    StoreReadOnly,
    StoreUnreadable,
    Unavailable,
)
from instar.protocol.errors import WIRE_CODES, parse_wire_error, wire_error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InvalidRequest("no such thing"), "INVALID_REQUEST"),
        (NotFound("no session"), "INVALID_REQUEST"),
        (Forbidden("no"), "FORBIDDEN"),
        (Unavailable("busy"), "UNAVAILABLE"),
        (StoreFull("disk full"), "UNAVAILABLE"),
        (InvariantBroken("one turn at a time"), "UNAVAILABLE"),
        (InstarError("else"), "UNAVAILABLE"),
    ],
)
def test_every_error_has_a_code_of_the_wire(error, code):
    assert wire_error(error).code == code
    assert code in WIRE_CODES


def test_a_missing_scope_is_named_for_programs():
    shape = wire_error(Forbidden("missing scope: operator.admin", missing_scope="operator.admin"))
    assert shape.details == {"code": "MISSING_SCOPE", "missingScope": "operator.admin"}


def test_a_plain_refusal_keeps_its_words():
    assert wire_error(InvalidRequest("unknown method: nope")).message == "unknown method: nope"


def test_a_refusal_with_a_reason_tells_it():
    assert wire_error(InvalidRequest("The label is taken", fix="Choose another.")).message == (
        "The label is taken. Choose another."
    )


def test_when_to_repeat_is_told():
    shape = wire_error(Unavailable("busy", retry_after_ms=250))
    assert (shape.retryable, shape.retry_after_ms) == (True, 250)


@pytest.mark.parametrize(
    "error", [InvalidRequest("a"), Forbidden("b", missing_scope="s"), Unavailable("c", retry_after_ms=1)]
)
def test_an_error_comes_back_as_its_own_class(error):
    back = parse_wire_error(wire_error(error))
    assert type(back) is type(error)


@pytest.mark.parametrize(
    "error",
    [
        StoreFull("Nothing can be stored in /srv/instar/instar.db", why="the disk is full"),
        StoreReadOnly("/srv/instar/instar.db cannot be written", why="mounted read-only at /srv"),
        StoreUnreadable("/srv/instar/instar.db cannot be read"),
    ],
)
def test_only_the_owner_is_told_where_the_store_lies(error: StoreError) -> None:
    assert "/srv/instar" in wire_error(error).message
    told = wire_error(error, is_owner=False)
    assert "/srv" not in told.message
    assert "Nothing was stored" in told.message
    assert told.details == {"code": error.code}


def test_other_errors_are_told_to_everybody_alike() -> None:
    error = Unavailable("The gateway is stopping", fix="Try again.")
    assert wire_error(error, is_owner=False) == wire_error(error)
