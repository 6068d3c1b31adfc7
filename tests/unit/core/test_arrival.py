"""A packet looked at as a whole: its chunks, where they begin, and whether it may set an association up."""

from __future__ import annotations

import pytest

from sctpx.core.arrival import Arrival, echoes_cookie
from sctpx.core.stack import Stack
from sctpx.testing import pack_address, seeded_bytes
from sctpx.wire import causes, control
from sctpx.wire.auth import HMAC_SHA_1, AssociationKey
from sctpx.wire.codes import CHUNK_ABORT, CHUNK_AUTH, CHUNK_COOKIE_ECHO, FLAG_T
from sctpx.wire.packet import chunks, finish_packet, prefix
from sctpx.wire.tlv import chunk

NOW = 10**18
OWN = bytes((10, 0, 0, 1))
REMOTE = bytes((10, 0, 0, 2))
COOKIE_ECHO = control.cookie_echo(b"a cookie")
KEY = AssociationKey(0, HMAC_SHA_1, b"secret")


def arrival(*said: bytes, remote: bytes = REMOTE, local: bytes = OWN) -> Arrival:
    return Arrival(NOW, local, remote, 9899, finish_packet(prefix(6000, 5000, 7), b"".join(said)))


@pytest.mark.parametrize("flags", [0, 0xFF])
@pytest.mark.parametrize("size", [0, 1, 4, 5, 24, 300, 1000])
def test_a_cookie_echo_is_found_behind_any_auth_chunk(size: int, flags: int) -> None:
    """RFC 4895 section 4.1: the flags "MUST be ignored on receipt"."""
    auth = chunk(CHUNK_AUTH, flags, bytes(size))
    for said, found in ((COOKIE_ECHO, True), (control.heartbeat(bytes(8)), False), (b"", False)):
        packet = arrival(auth, said).packet
        assert echoes_cookie(packet, 12, len(packet)) is found
        behind = b"before" + packet + b"behind"
        assert echoes_cookie(behind, 18, 6 + len(packet)) is found


@pytest.mark.parametrize("length", [0, 1, 3])
def test_an_auth_chunk_with_a_length_that_cannot_be_is_a_chunk_of_four_bytes(length: int) -> None:
    data = bytes((CHUNK_AUTH, 0, 0, length)) + COOKIE_ECHO
    assert echoes_cookie(data, 0, len(data))
    for stop in (1, 2, 3, 4):
        assert not echoes_cookie(data[:stop], 0, stop)
        assert not echoes_cookie(b"before" + data[:stop], 6, 6 + stop)


def test_an_auth_chunk_that_is_the_first_one_is_apart_from_the_others() -> None:
    packet = arrival(KEY.authenticate(COOKIE_ECHO), control.cookie_ack())
    assert packet.has_auth
    assert (packet.kind, packet.value) == (CHUNK_COOKIE_ECHO, b"a cookie")
    assert packet.packet[packet.first :] == COOKIE_ECHO + control.cookie_ack()
    padded = arrival(chunk(CHUNK_AUTH, 0, bytes(25)), COOKIE_ECHO)
    assert padded.packet[padded.first :] == COOKIE_ECHO
    second = arrival(COOKIE_ECHO, KEY.authenticate(control.cookie_ack()))
    assert not second.has_auth
    assert [kind for kind, _, _ in second.chunks][:2] == [CHUNK_COOKIE_ECHO, CHUNK_AUTH]
    assert second.packet[second.first :].startswith(COOKIE_ECHO)


def test_the_causes_of_an_abort_count_if_the_packet_has_our_tag() -> None:
    """RFC 9260 section 8.5.1 B: with the T bit, the tag is the sender's own."""
    why = [causes.user_abort(b"why")]
    assert arrival(control.heartbeat(b"1234"), control.abort(why)).causes_of_abort() == why
    assert arrival(control.abort(why, reflected=True)).causes_of_abort() is None
    assert arrival(chunk(CHUNK_ABORT, 0, b"\0")).causes_of_abort() is None
    assert arrival(COOKIE_ECHO).causes_of_abort() is None


def test_a_packet_without_a_whole_chunk_is_out_of_the_blue() -> None:
    """RFC 9260 section 8.4: such a packet is "correctly formed (i.e., passed the receiver's CRC32c check)", too."""
    stack = Stack(seeded_bytes(1), NOW)
    stack.open_endpoint(5000, [OWN])
    packet = arrival(bytes((1, 0, 0, 99)), bytes(8))
    assert (packet.kind, packet.chunks, packet.has_auth) == (-1, [], False)
    stack.receive(NOW, OWN, REMOTE, 9899, packet.packet, len(packet.packet))
    answer = stack.poll_transmit(NOW)
    assert answer is not None
    assert chunks(answer.data) == [(CHUNK_ABORT, FLAG_T, b"")]


def test_link_local_addresses_that_a_peer_lists_are_on_the_link_of_the_packet() -> None:
    """RFC 4007 section 9: such an address means nothing without its zone."""
    here, listed, theirs = [pack_address(text) for text in ("fe80::1%7", "fe80::2", "fe80::3")]
    everywhere = pack_address("2001:db8::2")
    link = pack_address("fe80::2%7")
    source = pack_address("fe80::3%7")
    packet = arrival(COOKIE_ECHO, remote=source, local=here)
    assert packet.placed([listed, everywhere], [], None) == [source, link, everywhere]
    assert set(packet.placed([theirs], [], None)) == {source}
    known = pack_address("fe80::2%9")
    assert packet.placed([listed], [known], None) == [source, known]
    # The address on this side tells the link, too; that of the packet comes before what the host knows.
    here_only = arrival(COOKIE_ECHO, remote=pack_address("fe80::3"), local=here)
    assert here_only.zone(None) == here_only.zone(lambda local: b"other") == link[16:]
    assert packet.zone(lambda local: b"other") == arrival(COOKIE_ECHO, remote=source).zone(None) == link[16:]
    assert arrival(COOKIE_ECHO, remote=source).placed([everywhere], [], None) == [source, everywhere]
    plain = arrival(COOKIE_ECHO, remote=everywhere, local=pack_address("2001:db8::1"))
    assert plain.zone(None) == b""
    assert plain.placed([listed], [], lambda local: link[16:]) == [everywhere, link]
    assert plain.placed([listed], [], None) == [everywhere]
    assert plain.placed([everywhere], [], None) == [everywhere]
