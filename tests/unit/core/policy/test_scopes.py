import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.core.model.caller import Caller
from instar.core.policy.scopes import ADMIN, OWNER_SCOPES, READ, WRITE, grant_scopes, has_scope


@pytest.mark.parametrize(
    ("held", "needed", "allowed"),
    [
        ({READ}, READ, True),
        ({WRITE}, READ, True),
        ({ADMIN}, READ, True),
        ({ADMIN}, WRITE, True),
        ({READ}, WRITE, False),
        ({WRITE}, ADMIN, False),
        (set(), READ, False),
        ({ADMIN}, "operator.pairing", False),
        ({"operator.pairing"}, "operator.pairing", True),
    ],
)
def test_a_scope_includes_the_smaller_ones(held, needed, allowed):
    assert has_scope(held, needed) is allowed


def test_a_client_that_asks_for_nothing_in_particular_gets_what_its_credentials_allow():
    assert grant_scopes(OWNER_SCOPES, asked=None) == OWNER_SCOPES


def test_a_client_may_narrow_itself():
    assert grant_scopes(OWNER_SCOPES, asked=[READ]) == {READ}
    assert grant_scopes(OWNER_SCOPES, asked=[]) == frozenset()


def test_writing_credentials_may_be_narrowed_to_reading():
    assert grant_scopes({WRITE}, asked=[READ]) == {READ}


@given(
    st.sets(st.sampled_from([READ, WRITE, ADMIN, "operator.pairing"])),
    st.lists(st.sampled_from([READ, WRITE, ADMIN, "operator.pairing", "operator.root"])),
)
def test_asking_never_adds_anything(held, asked):
    granted = grant_scopes(held, asked=asked)
    assert all(has_scope(held, scope) for scope in granted)
    assert granted <= set(asked)


def test_a_caller_answers_under_its_principal_or_its_role():
    assert Caller(principal="alice").who == "alice"
    assert Caller().who == "operator"
