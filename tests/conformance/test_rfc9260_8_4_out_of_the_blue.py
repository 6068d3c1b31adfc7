"""RFC 9260 section 8.4: packets that belong to no association, rule by rule."""

from __future__ import annotations

import pytest

from sctpx.testing import pack_address
from sctpx.wire import control
from sctpx.wire.packet import finish_packet, prefix
from sctpx.wire.tlv import chunk
from tests.sim.scripted import PORT, UDP_PORT, Scripted

TAG = 0x1B1E1B1E
"""The Verification Tag of the packets; nobody's."""

ANYTHING = {
    "DATA": chunk(0, 3, bytes(12) + b"data"),
    "SACK": chunk(3, 0, bytes(12)),
    "HEARTBEAT": control.heartbeat(b"?"),
    "HEARTBEAT ACK": control.heartbeat_ack(b"\0\1\0\5?"),
    "SHUTDOWN": control.shutdown(1),
    "ERROR": control.error([(1, b"\0\0\0\0")]),
    "INIT ACK": chunk(2, 0, bytes(16)),
    "unknown chunk": chunk(0xFE, 0, b""),
}


def stranger(listening: bool) -> Scripted:
    """P is unknown to A."""
    lab = Scripted()
    lab.a_tag = 0  # Nothing is reflected that could be taken for A's tag.
    if listening:
        lab.endpoint.listen()
    return lab


@pytest.mark.parametrize("source", ["224.0.0.1", "255.255.255.255", "0.0.0.0", "ff02::1", "::"])
def test_rule_1_packets_from_a_non_unicast_address_are_silently_discarded(source: str) -> None:
    with stranger(listening=True) as lab:
        for said in (*ANYTHING.values(), lab.init(), control.shutdown_ack()):
            data = packet(said, 0 if said[0] == 1 else TAG)
            lab.a.stack.receive(lab.a.now, lab.a.packed[0], pack_address(source), UDP_PORT, data, 2000)
        assert lab.a.stack.poll_transmit(lab.a.now) is None


@pytest.mark.parametrize("destination", ["224.0.0.1", "255.255.255.255", "ff02::1"])
def test_rule_1_packets_to_a_non_unicast_address_are_silently_discarded(destination: str) -> None:
    with stranger(listening=True) as lab:
        for said in (*ANYTHING.values(), lab.init(), control.shutdown_ack()):
            data = packet(said, 0 if said[0] == 1 else TAG)
            lab.a.stack.receive(lab.a.now, pack_address(destination), lab.p.packed[0], UDP_PORT, data, 2000)
        assert lab.a.stack.poll_transmit(lab.a.now) is None


def packet(said: bytes, tag: int) -> bytes:
    return finish_packet(prefix(PORT, PORT, tag), said)


@pytest.mark.parametrize("listening", [False, True])
def test_rule_2_a_packet_with_an_abort_is_silently_discarded(listening: bool) -> None:
    """Section 8.4: "If the OOTB packet contains an ABORT chunk, the receiver MUST silently discard the OOTB packet"."""
    with stranger(listening) as lab:
        for abort in (control.abort([]), control.abort([], reflected=True)):
            assert lab.ask(abort, tag=TAG) == []
            assert lab.ask(lab.data(), abort, tag=TAG) == []
            assert lab.ask(control.shutdown_ack(), abort, tag=TAG) == []
            assert lab.ask(abort, tag=0) == []


def test_rule_3_an_init_is_processed_or_refused_with_its_own_tag_and_no_t_bit() -> None:
    """Section 8.4: "the Verification Tag of the packet containing the ABORT chunk MUST be the Initiate Tag of the
    received INIT chunk, and the T bit of the ABORT chunk has to be set to 0".
    """
    with stranger(listening=False) as lab:
        assert lab.ask(lab.init(), tag=0) == ["P: ABORT"]
        assert lab.ask(lab.init(), tag=0, a_port=PORT + 1) == ["P: ABORT"]
    with stranger(listening=True) as lab:
        [answer] = lab.ask(lab.init(), tag=0)
        assert answer.startswith("P: INIT ACK")


def test_rule_4_a_cookie_echo_in_front_is_processed() -> None:
    """As section 5.1 has it: a cookie that is not ours is silently discarded."""
    with stranger(listening=True) as lab:
        assert lab.ask(control.cookie_echo(b"not a cookie"), tag=TAG) == []
        assert lab.ask(control.cookie_echo(b"not a cookie"), lab.data(), tag=TAG) == []
        lab.ask(lab.init(), tag=0)
        assert lab.ask(control.cookie_echo(lab.cookie())) == ["P: COOKIE ACK"]


@pytest.mark.parametrize("listening", [False, True])
def test_rule_5_a_shutdown_ack_draws_a_shutdown_complete_that_reflects_the_tag(listening: bool) -> None:
    """Section 8.4: "MUST fill in the Verification Tag field of the outbound packet with the Verification Tag received
    in the SHUTDOWN ACK chunk and set the T bit".
    """
    with stranger(listening) as lab:
        assert lab.ask(control.shutdown_ack(), tag=TAG) == [f"{TAG:#010x}: SHUTDOWN COMPLETE T"]
        assert lab.ask(lab.data(), control.shutdown_ack(), tag=TAG) == [f"{TAG:#010x}: SHUTDOWN COMPLETE T"]


@pytest.mark.parametrize("flags", [0, 1])
def test_rule_6_a_shutdown_complete_is_silently_discarded(flags: int) -> None:
    with stranger(listening=True) as lab:
        assert lab.ask(control.shutdown_complete(reflected=bool(flags)), tag=TAG) == []


def test_rule_7_a_stale_cookie_error_and_a_cookie_ack_are_silently_discarded() -> None:
    with stranger(listening=True) as lab:
        assert lab.ask(control.error([(3, bytes(4))]), tag=TAG) == []
        assert lab.ask(control.error([(1, bytes(4)), (3, bytes(4))]), tag=TAG) == []
        assert lab.ask(control.cookie_ack(), tag=TAG) == []
        assert lab.ask(control.cookie_ack(), lab.data(), tag=TAG) == []


@pytest.mark.parametrize("listening", [False, True])
@pytest.mark.parametrize("name", ANYTHING)
def test_rule_8_anything_else_draws_an_abort_that_reflects_the_tag(name: str, listening: bool) -> None:
    """Section 8.4: "MUST fill in the Verification Tag field of the outbound packet with the value found in the
    Verification Tag field of the OOTB packet and set the T bit".
    """
    with stranger(listening) as lab:
        assert lab.ask(ANYTHING[name], tag=TAG) == [f"{TAG:#010x}: ABORT T"]
        assert lab.a.stack.stats.out_of_the_blue == 1


def test_rule_8_goes_for_a_port_that_is_nobodys_too() -> None:
    with stranger(listening=True) as lab:
        assert lab.ask(lab.data(), tag=TAG, a_port=PORT + 7) == [f"{TAG:#010x}: ABORT T"]


def test_the_answer_swaps_addresses_and_ports() -> None:
    with stranger(listening=False) as lab:
        lab.ask(lab.data(), tag=TAG, port=1234, a_port=4321)
        [heard] = lab.heard
        assert (heard.source_text, heard.destination_text) == ("10.0.1.1", "10.0.1.2")
        assert heard.data[:8] == prefix(4321, 1234, TAG)


def test_a_port_of_0_is_no_port() -> None:
    """Section 3.1: "Port Number 0 MUST NOT be used"."""
    with stranger(listening=True) as lab:
        assert lab.ask(lab.data(), tag=TAG, port=0) == []
        assert lab.ask(lab.init(), tag=0, port=0) == []
        assert lab.ask(lab.data(), tag=TAG, a_port=0) == []


@pytest.mark.parametrize("rest", [b"\0\3\0\3", b"\0\3\0\x40"])
def test_rule_8_goes_for_a_packet_without_a_whole_chunk_too(rest: bytes) -> None:
    """A packet is out of the blue "if it is correctly formed (i.e., passed the receiver's CRC32c check)"."""
    with stranger(listening=True) as lab:
        assert lab.ask(rest, tag=TAG) == [f"{TAG:#010x}: ABORT T"]
        assert lab.ask(rest, tag=0) == []  # Section 8.5.1 A.
    with Scripted(paths=2) as lab:
        association = lab.up_incoming()
        assert lab.ask(rest) == []
        assert lab.ask(rest, tag=TAG) == []  # Section 8.5.
        assert lab.ask(rest, source="10.0.2.2") == ["A: ABORT T"]
        assert not association.ended


@pytest.mark.parametrize("rest", [b"", b"\0\0\0"])
def test_what_is_smaller_than_an_abort_draws_none(rest: bytes) -> None:
    """Section 12.2.4, and a departure from rule 8: the source may be forged."""
    with stranger(listening=True) as lab:
        assert lab.ask(rest, tag=TAG) == []
        assert lab.a.stack.stats.answers_withheld == 1
        assert lab.a.stack.stats.out_of_the_blue == 1


def test_no_answer_is_larger_than_what_it_answers() -> None:
    """Section 12.2.4."""
    with stranger(listening=True) as lab:
        for said in (*ANYTHING.values(), control.shutdown_ack()):
            before = len(lab.heard)
            lab.say(said, tag=TAG)
            lab.network.run_for(0.05)
            assert sum(len(heard.data) for heard in lab.heard[before:]) <= 12 + len(said)


def test_a_packet_from_an_association_that_has_ended_is_out_of_the_blue() -> None:
    with Scripted() as lab:
        association = lab.up_incoming()
        association.abort(lab.a.now)
        lab.network.run_for(0.05)
        assert lab.ask(lab.data()) == ["A: ABORT T"]
        assert lab.ask(control.shutdown_ack()) == ["A: SHUTDOWN COMPLETE T"]


@pytest.mark.parametrize("name", ANYTHING)
def test_so_is_one_with_the_right_tag_from_an_address_that_is_not_the_associations(name: str) -> None:
    """Except INIT ACK, which only a report is interested in (section 5.2.3)."""
    with Scripted(paths=2) as lab:
        association = lab.up_incoming()
        expected = [] if name == "INIT ACK" else ["A: ABORT T"]
        assert lab.ask(ANYTHING[name], source="10.0.2.2") == expected
        assert lab.ask(control.abort([]), source="10.0.2.2") == []
        assert not association.ended
        assert lab.ask(control.heartbeat(b"?")) == ["P: HEARTBEAT ACK Heartbeat Info (1 byte)"]
