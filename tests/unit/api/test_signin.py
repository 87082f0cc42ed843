"""Links and cookies end when they should."""

from __future__ import annotations

from instar.api.signin import COOKIE_TTL_MS, LINK_TTL_MS, LINKS, SIGN_INS, SignIns
from instar.core.model.caller import Caller
from instar.core.model.ids import Instant
from instar.testing.clock import ManualClock
from instar.testing.ids import SequenceIds

OWNER = Caller(scopes=frozenset({"operator.admin"}))


def build(clock: ManualClock, revoked: set[str] | None = None) -> SignIns:
    gone = revoked if revoked is not None else set()
    return SignIns(clock, SequenceIds(), is_revoked=lambda token_id: token_id in gone)


def test_a_link_is_good_for_a_minute_and_once() -> None:
    clock = ManualClock()
    signins = build(clock)
    early, late = signins.offer(OWNER), signins.offer(OWNER)
    clock.advance(LINK_TTL_MS / 1000 - 1)
    cookie = signins.redeem(early)
    assert cookie is not None
    assert signins.redeem(early) is None
    clock.advance(1)
    assert signins.redeem(late) is None
    assert signins.redeem("") is None
    assert signins.redeem(cookie) is None, "a cookie is no code"
    assert signins.find(early) is None, "and a code no cookie"


def test_a_cookie_ends_after_half_a_day() -> None:
    clock = ManualClock()
    signins = build(clock)
    cookie = signins.redeem(signins.offer(OWNER))
    clock.advance(COOKIE_TTL_MS / 1000 - 1)
    found = signins.find(cookie)
    assert found is not None
    assert found.authority.expires_at == found.ends_at
    clock.advance(1)
    assert signins.find(cookie) is None
    assert signins.find(cookie) is None
    assert signins.find(None) is None


def test_nothing_lasts_longer_because_the_clock_was_set_back() -> None:
    clock = ManualClock()
    signins = build(clock)
    link, cookie = signins.offer(OWNER), signins.redeem(signins.offer(OWNER))
    clock.jump(clock.now() - 86_400_000)
    assert signins.find(cookie) is not None
    clock.advance(LINK_TTL_MS / 1000)
    assert signins.redeem(link) is None
    clock.advance(COOKIE_TTL_MS / 1000)
    assert signins.find(cookie) is None


def test_a_cookie_ends_with_the_token_that_asked_for_it() -> None:
    clock, revoked = ManualClock(), set[str]()
    signins = build(clock, revoked)
    soon = Instant(clock.now() + 90_000)
    caller = Caller(scopes=frozenset({"operator.read"}), principal="ann", token_id="t1", expires_at=soon)
    cookie, unused = signins.redeem(signins.offer(caller)), signins.offer(caller)
    found = signins.find(cookie)
    assert found is not None
    assert (found.ends_at, found.authority.principal, found.authority.token_id) == (soon, "ann", "t1")
    revoked.add("t1")
    assert signins.find(cookie) is None
    assert signins.redeem(unused) is None


def test_of_one_caller_the_oldest_go_and_others_keep_theirs() -> None:
    signins = build(ManualClock())
    ann = Caller(principal="ann", token_id="t1")
    link, cookie = signins.offer(ann), signins.redeem(signins.offer(ann))
    codes = [signins.offer(OWNER) for _ in range(LINKS.each + 1)]
    assert signins.redeem(codes[0]) is None
    assert signins.redeem(codes[1]) is not None
    cookies = [signins.redeem(signins.offer(OWNER)) for _ in range(SIGN_INS.each + 1)]
    assert signins.find(cookies[0]) is None
    assert signins.find(cookies[-1]) is not None
    assert signins.find(cookie) is not None
    assert signins.redeem(link) is not None


def test_signing_out_somebody_unknown_does_nothing() -> None:
    signins = build(ManualClock())
    signins.end("nobody")
    signins.end(None)
