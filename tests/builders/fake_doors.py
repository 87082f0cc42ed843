"""Who may write, without a store: for tests of the wire."""

from __future__ import annotations

from dataclasses import replace

from instar.core.model.change import Noted
from instar.core.model.device import Device, DeviceRequest, Devices
from instar.core.model.ids import AccountId, ChannelName, DeliveryId, Instant, SessionKey
from instar.core.model.message import Target
from instar.core.model.pairing import Admission, Pairing, PairingCode, Pairings, Peer
from instar.core.policy.pairing import find_approved, find_waiting, plan_approval
from instar.errors import NotFound

__all__ = ["FakePairing", "MemoryDevices"]


class MemoryDevices:
    """Keeps `instar.ports.devices.DeviceStore`."""

    def __init__(self) -> None:
        self.devices: dict[str, Device] = {}
        self.requests: dict[str, DeviceRequest] = {}

    async def find(self, device_id: str) -> Device | None:
        return self.devices.get(device_id)

    async def find_by_token(self, token_id: str) -> Device | None:
        return next((one for one in self.devices.values() if one.token_id == token_id), None)

    async def load(self) -> Devices:
        return Devices(approved=tuple(self.devices.values()), waiting=tuple(self.requests.values()))

    async def ask(self, request: DeviceRequest, *, now: Instant, most: int) -> DeviceRequest | None:
        del now
        known = next((one for one in self.requests.values() if one.wish.device_id == request.wish.device_id), None)
        if known is None and len(self.requests) >= most:
            return None
        kept = request if known is None else replace(known, wish=request.wish, reason=request.reason)
        self.requests[kept.request_id] = kept
        return kept

    async def answer(self, request_id: str, device: Device | None, *, now: Instant, noted: Noted) -> bool:
        del now, noted
        if device is not None:
            self.devices[device.device_id] = device
        return self.requests.pop(request_id, None) is not None

    async def set_token(self, device_id: str, token_id: str) -> bool:
        device = self.devices.get(device_id)
        if device is None or device.token_id is not None:
            return False
        self.devices[device_id] = replace(device, token_id=token_id)
        return True

    async def remove(self, device_id: str, *, now: Instant, noted: Noted) -> Device | None:
        del now, noted
        return self.devices.pop(device_id, None)


NOW = Instant(1_773_144_000_000)


class FakePairing:
    """Keeps `instar.api.port.PairingPort`; `knock` puts a stranger at the door."""

    def __init__(self) -> None:
        self.pairings = Pairings()

    def knock(self, code: str, *, peer_id: str = "42") -> PairingCode:
        """A code that waits."""
        peer = Peer(channel=ChannelName("telegram"), account_id=AccountId("default"), kind="direct", peer_id=peer_id)
        waiting = PairingCode(
            code=code,
            peer=peer,
            session_key=SessionKey(f"agent:main:telegram:default:direct:{peer_id}"),
            target=Target(channel=peer.channel, account_id=peer.account_id, to=peer_id, chat_type="direct"),
            created_at=NOW,
            told_at=NOW,
            expires_at=Instant(NOW + 3_600_000),
            name="Ann",
        )
        self.pairings = Pairings(approved=self.pairings.approved, waiting=(*self.pairings.waiting, waiting))
        return waiting

    async def load(self) -> Pairings:
        return self.pairings

    async def approve(self, code: str, *, who: str) -> Admission:
        found = await self.reject(code, who=who)
        change = plan_approval(found, who=who, now=NOW, delivery_id=DeliveryId("d"))
        assert change.approve is not None
        self.pairings = Pairings(approved=(*self.pairings.approved, change.approve), waiting=self.pairings.waiting)
        return Admission(pairing=change.approve, told=True, warnings=("Careful.",))

    async def reject(self, code: str, *, who: str) -> PairingCode:
        del who
        found = find_waiting(self.pairings, code, now=NOW)
        if found is None:
            raise NotFound("No such pairing code waits")
        waiting = tuple(one for one in self.pairings.waiting if one is not found)
        self.pairings = Pairings(approved=self.pairings.approved, waiting=waiting)
        return found

    async def revoke(
        self, peer_id: str, *, channel: ChannelName | None, account_id: AccountId | None, who: str
    ) -> Pairing:
        del who
        found = find_approved(self.pairings, peer_id, channel=channel, account_id=account_id)
        if not found:
            raise NotFound(f"Nobody called {peer_id} was approved")
        approved = tuple(one for one in self.pairings.approved if one is not found[0])
        self.pairings = Pairings(approved=approved, waiting=self.pairings.waiting)
        return found[0]
