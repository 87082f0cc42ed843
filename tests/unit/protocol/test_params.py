import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.errors import InvalidRequest
from instar.protocol.methods import CONNECT, METHODS
from instar.protocol.params import Field, check_params


def refusal(method: str, params: dict) -> str:
    with pytest.raises(InvalidRequest) as caught:
        check_params(method, METHODS[method].fields, params)
    return caught.value.what


@pytest.mark.parametrize(
    ("method", "params", "message"),
    [
        (
            "sessions.patch",
            {"bogus": 1},
            "invalid sessions.patch params: must have required property 'key'; at root: unexpected property 'bogus'",
        ),
        ("sessions.list", {"limit": -3}, "invalid sessions.list params: at /limit: must be >= 1"),
        ("sessions.list", {"limit": "5"}, "invalid sessions.list params: at /limit: must be integer"),
        ("sessions.list", {"limit": 1.5}, "invalid sessions.list params: at /limit: must be integer"),
        ("sessions.list", {"limit": True}, "invalid sessions.list params: at /limit: must be integer"),
        ("sessions.list", {"includeGlobal": 1}, "invalid sessions.list params: at /includeGlobal: must be boolean"),
        ("sessions.list", {"archived": 1}, "invalid sessions.list params: at /archived: must be boolean or string"),
        (
            "sessions.list",
            {"archived": "some"},
            "invalid sessions.list params: at /archived: must be equal to one of the allowed values (all)",
        ),
        (
            "sessions.preview",
            {"keys": []},
            "invalid sessions.preview params: at /keys: must NOT have fewer than 1 items",
        ),
        ("sessions.preview", {"keys": ["a", 2]}, "invalid sessions.preview params: at /keys/1: must be string"),
        (
            "sessions.preview",
            {"keys": [""]},
            "invalid sessions.preview params: at /keys/0: must NOT have fewer than 1 characters",
        ),
        (
            "chat.inject",
            {"sessionKey": "main", "message": "m", "label": "x" * 101},
            "invalid chat.inject params: at /label: must NOT have more than 100 characters",
        ),
        (
            "chat.send",
            {"sessionKey": "main", "message": "m", "idempotencyKey": "k", "attachments": [{"content": 5}]},
            "invalid chat.send params: at /attachments/0/content: must be string",
        ),
        (
            "sessions.patch",
            {"key": "main", "model": 7},
            "invalid sessions.patch params: at /model: must be string or null",
        ),
        (
            "sessions.reset",
            {"key": "main", "reason": "why not"},
            "invalid sessions.reset params: at /reason: must be equal to one of the allowed values (new, reset)",
        ),
        ("health", {"a/b~c": 1}, "invalid health params: at root: unexpected property 'a/b~c'"),
    ],
)
def test_a_refusal_names_the_field_and_what_it_must_be(method, params, message):
    assert refusal(method, params) == message


def test_a_missing_field_inside_an_object_is_named_with_its_place():
    with pytest.raises(InvalidRequest) as caught:
        check_params("connect", CONNECT.fields, {"minProtocol": 4, "maxProtocol": 4, "client": {"id": "cli"}})
    assert "at /client: must have required property 'version'" in caught.value.what


def test_an_unknown_field_inside_a_closed_object_is_named_with_its_place():
    client = {"id": "cli", "version": "1", "platform": "linux", "mode": "cli", "shoe": 44}
    with pytest.raises(InvalidRequest) as caught:
        check_params("connect", CONNECT.fields, {"minProtocol": 4, "maxProtocol": 4, "client": client})
    assert "at /client: unexpected property 'shoe'" in caught.value.what


def test_a_limit_above_the_maximum_is_lowered():
    checked = check_params("chat.history", METHODS["chat.history"].fields, {"sessionKey": "main", "limit": 5000})
    assert checked.whole("limit", 200) == 1000


def test_a_whole_number_may_be_written_as_a_float():
    assert check_params("sessions.list", METHODS["sessions.list"].fields, {"limit": 5.0}).whole("limit", 1) == 5


@pytest.mark.parametrize("number", [2**53, -(2**53), 1e300, 2**63])
def test_a_number_that_no_other_reader_would_read_alike_is_no_integer(number):
    assert refusal("sessions.list", {"limit": number}).endswith("at /limit: must be integer")


def test_fields_of_other_gateways_are_accepted_and_ignored():
    checked = check_params("sessions.list", METHODS["sessions.list"].fields, {"involvingMe": {"deep": [1]}})
    assert not checked.has("involvingMe")


def test_null_clears_where_it_may_and_is_refused_elsewhere():
    checked = check_params("sessions.patch", METHODS["sessions.patch"].fields, {"key": "main", "label": None})
    assert checked.without("key") == {"label": None}
    assert refusal("sessions.patch", {"key": None}).endswith("at /key: must be string")


def test_a_request_with_a_thousand_problems_gets_a_short_answer():
    assert len(refusal("health", {f"field{n}": n for n in range(1000)})) < 600


def test_the_field_of_an_error_is_told_apart():
    with pytest.raises(InvalidRequest) as caught:
        check_params("sessions.list", METHODS["sessions.list"].fields, {"includeGlobal": True, "limit": 0})
    assert caught.value.field == "limit"


def test_numbers_have_both_bounds():
    bounded = Field(name="share", kinds=("number",), least=0, most=1)
    with pytest.raises(InvalidRequest, match="must be <= 1"):
        check_params("m", [bounded], {"share": 1.5})
    assert check_params("m", [bounded], {"share": 0.5}).values == {"share": 0.5}


@given(st.sampled_from(sorted(METHODS)), st.dictionaries(st.text(max_size=12), st.none() | st.integers() | st.text()))
def test_any_params_are_checked_or_refused_by_name(method, params):
    try:
        checked = check_params(method, METHODS[method].fields, params)
    except InvalidRequest as error:
        assert error.what.startswith(f"invalid {method} params: ")  # noqa: PT017  # either way is a good answer
    else:
        assert set(checked.values) <= {one.name for one in METHODS[method].fields}


def test_every_method_that_changes_something_takes_an_idempotency_key():
    for method in METHODS.values():
        names = {one.name for one in method.fields}
        assert ("idempotencyKey" in names) == method.side_effect, method.name


def test_every_method_says_what_it_is_for():
    for method in METHODS.values():
        assert method.summary
        assert method.rule
        assert method.scope.startswith("operator.")
        names = [one.name for one in method.fields]
        assert len(names) == len(set(names)), method.name


@pytest.mark.parametrize(("levels", "is_good"), [(64, True), (65, False), (900, False)])
def test_what_is_nested_very_deeply_is_refused(levels: int, is_good: bool) -> None:
    value: object = 1
    for level in range(levels):
        value = [value] if level % 2 else {"a": value}
    if is_good:
        check_params("config.set", METHODS["config.set"].fields, {"path": "a", "value": value})
    else:
        said = refusal("config.set", {"path": "a", "value": value})
        assert said == "invalid config.set params: at /value: must NOT be nested deeper than 64 levels"
