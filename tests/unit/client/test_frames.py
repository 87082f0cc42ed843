"""The small WebSocket client speaks as RFC 6455 says: its peer here is a full implementation."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.server import ServerProtocol

from instar.client.frames import (
    CLOSE,
    PING,
    TEXT,
    FrameReader,
    Message,
    build_upgrade,
    check_upgrade,
    encode_frame,
)
from instar.errors import Unavailable

NONCE = bytes(range(16))
MASK = b"\x01\xfe\x37\x80"


def shake_hands():
    """A server that has agreed to speak, and what it answered."""
    server = ServerProtocol(max_size=None)
    server.receive_data(build_upgrade("127.0.0.1:18789", "", NONCE))
    (request,) = server.events_received()
    server.send_response(server.accept(request))
    return server, b"".join(server.data_to_send())


def test_a_server_agrees_and_is_believed():
    _, answer = shake_hands()
    head, _, rest = answer.partition(b"\r\n\r\n")
    check_upgrade(head, NONCE)
    assert rest == b""


def test_an_answer_to_another_key_is_not_believed():
    _, answer = shake_hands()
    with pytest.raises(Unavailable, match="did not confirm"):
        check_upgrade(answer.partition(b"\r\n\r\n")[0], bytes(16))


@pytest.mark.parametrize("head", [b"HTTP/1.1 403 Forbidden", b"SSH-2.0-OpenSSH_9.6", b"", b"220 mail ESMTP"])
def test_what_does_not_agree_is_no_gateway(head):
    with pytest.raises(Unavailable, match="no gateway"):
        check_upgrade(head, NONCE)


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 200_000])
def test_a_server_reads_what_is_written_at_every_length(size):
    server, _ = shake_hands()
    text = ("wörter " * size)[:size].encode()[:size]
    server.receive_data(encode_frame(TEXT, text, MASK))
    (frame,) = server.events_received()
    assert (frame.opcode, bytes(frame.data)) == (Opcode.TEXT, text)


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=5), st.integers(1, 40))
def test_messages_come_whole_however_the_bytes_are_cut(texts, step):
    sent = b"".join(Frame(Opcode.TEXT, text).serialize(mask=False) for text in texts)
    reader, got = FrameReader(), []
    for at in range(0, len(sent), step):
        reader.feed(sent[at : at + step])
        while (message := reader.take()) is not None:
            got.append(message)
    assert got == [Message(TEXT, text) for text in texts]


def test_pieces_are_joined_and_a_ping_between_them_is_told_first():
    reader = FrameReader()
    reader.feed(Frame(Opcode.TEXT, b"one ", fin=False).serialize(mask=False))
    reader.feed(Frame(Opcode.PING, b"?").serialize(mask=False))
    reader.feed(Frame(Opcode.CONT, b"two").serialize(mask=False))
    assert [reader.take(), reader.take(), reader.take()] == [Message(PING, b"?"), Message(TEXT, b"one two"), None]


def test_a_close_comes_with_its_reason():
    reader = FrameReader()
    reader.feed(Frame(Opcode.CLOSE, b"\x03\xf0no").serialize(mask=False))
    assert reader.take() == Message(CLOSE, b"\x03\xf0no")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\x82\x01x", "no text"),
        (b"\x81\x81mask.", "only a client"),
        (b"\xc1\x01x", "extension"),
        (b"\x8b\x00", "kind 11"),
        (b"\x81\x7f" + (1 << 40).to_bytes(8, "big"), "without end"),
    ],
)
def test_what_is_no_frame_of_a_gateway_is_refused(data, why):
    reader = FrameReader()
    reader.feed(data)
    with pytest.raises(Unavailable, match=why):
        reader.take()


def test_a_message_in_endless_pieces_is_refused(monkeypatch):
    monkeypatch.setattr("instar.client.frames.MESSAGE_MAX_BYTES", 10)
    reader = FrameReader()
    for _ in range(3):
        reader.feed(Frame(Opcode.CONT, b"12345", fin=False).serialize(mask=False))
    with pytest.raises(Unavailable, match="without end"):
        reader.take()
