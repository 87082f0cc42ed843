"""What a device signs, and what it may do once it has proved its key (LEAK-3, GW-8)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from instar.core.model.device import Device, DeviceRequest, Devices, DeviceWish
from instar.core.model.ids import Instant
from instar.core.policy.devices import (
    SIGNATURE_SKEW_MS,
    DeviceAdmission,
    DeviceClaim,
    approve_scopes,
    build_signed_texts,
    check_claim,
    decide_device,
    find_request,
    list_waiting,
)
from instar.core.policy.scopes import ADMIN, OWNER_SCOPES, READ, WRITE

NOW = Instant(1_000_000)
CLAIM = DeviceClaim(
    device_id="abc",
    nonce="n1",
    signed_at=NOW,
    client_id="cli",
    client_mode="backend",
    role="operator",
    scopes=(ADMIN, READ),
    token="secret",
    platform=" MacOS Ä ",
    device_family="Mac",
)


def test_what_is_signed_is_what_clients_of_the_protocol_sign():
    newest, older = build_signed_texts(CLAIM)
    assert newest == "v3|abc|cli|backend|operator|operator.admin,operator.read|1000000|secret|n1|macos Ä|mac"
    assert older == "v2|abc|cli|backend|operator|operator.admin,operator.read|1000000|secret|n1"
    assert build_signed_texts(replace(CLAIM, nonce=None))[1].endswith("|secret|")


@pytest.mark.parametrize(
    ("changes", "key_id", "problem"),
    [
        ({}, "abc", None),
        ({}, None, "device-public-key"),
        ({}, "other", "device-id-mismatch"),
        ({"nonce": None}, "abc", "device-nonce-missing"),
        ({"nonce": ""}, "abc", "device-nonce-missing"),
        ({"nonce": "n2"}, "abc", "device-nonce-mismatch"),
        ({"signed_at": NOW - SIGNATURE_SKEW_MS}, "abc", None),
        ({"signed_at": NOW - SIGNATURE_SKEW_MS - 1}, "abc", "device-signature-stale"),
        ({"signed_at": NOW + SIGNATURE_SKEW_MS + 1}, "abc", "device-signature-stale"),
    ],
)
def test_a_claim_counts_for_one_key_one_connection_and_a_short_time(changes, key_id, problem):
    assert check_claim(replace(CLAIM, **changes), key_id=key_id, nonce="n1", now=NOW) == problem


def device(*scopes):
    return Device(device_id="abc", public_key="k", scopes=frozenset(scopes), approved_at=NOW, approved_by="operator")


@pytest.mark.parametrize(
    ("known", "asked", "admission"),
    [
        (None, [READ], DeviceAdmission(reason="not-paired")),
        (device(READ), [READ], DeviceAdmission(scopes=frozenset({READ}))),
        (device(READ), [READ, ADMIN], DeviceAdmission(scopes=frozenset({READ}))),
        (device(ADMIN), [WRITE], DeviceAdmission(scopes=frozenset({WRITE}))),
        (device(READ, WRITE), None, DeviceAdmission(scopes=frozenset({READ, WRITE}))),
        (device(READ), [ADMIN], DeviceAdmission(reason="scope-upgrade")),
        (device(READ), [], DeviceAdmission()),
        (device(), None, DeviceAdmission()),
    ],
)
def test_a_device_never_gets_more_than_was_approved(known, asked, admission):
    assert decide_device(known, asked=asked) == admission


def test_an_approval_gives_what_was_asked_for_or_what_the_owner_names():
    assert approve_scopes(frozenset({READ, "operator.invented"}), None) == {READ}
    assert approve_scopes(OWNER_SCOPES, [READ]) == {READ}
    assert approve_scopes(frozenset({READ}), [WRITE]) == {WRITE}


def test_only_a_request_that_waits_is_found():
    wish = DeviceWish(device_id="abc", public_key="k", scopes=frozenset())
    alive = DeviceRequest(request_id="r1", wish=wish, reason="not-paired", created_at=NOW, expires_at=Instant(NOW + 1))
    over = replace(alive, request_id="r2", expires_at=NOW)
    later = Instant(NOW + 3_600_000)
    taken_back = replace(alive, request_id="r3", created_at=later, expires_at=Instant(later + 1))
    devices = Devices(waiting=(alive, over, taken_back))
    assert list_waiting(devices, now=NOW) == (alive,)
    assert find_request(devices, " r1 ", now=NOW) == alive
    assert find_request(devices, "r2", now=NOW) is None
