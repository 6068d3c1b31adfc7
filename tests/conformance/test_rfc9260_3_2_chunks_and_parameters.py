"""RFC 9260 sections 3.2, 3.2.1 and 3.2.2: unknown chunks and parameters, lengths and padding."""

from __future__ import annotations

from typing import Final

import pytest

from sctpx.core.association.state import COOKIE_ECHOED, ESTABLISHED
from sctpx.core.events import RemoteError
from sctpx.wire import control
from sctpx.wire.codes import (
    CAUSE_UNRECOGNIZED_CHUNK,
    CAUSE_UNRECOGNIZED_PARAMETERS,
    CHUNK_REPORT,
    CHUNK_SKIP,
    PARAM_SKIP,
    PARAM_UNRECOGNIZED,
)
from sctpx.wire.packet import chunks
from sctpx.wire.tlv import chunk, item, items
from tests.sim.scripted import Scripted

UNKNOWN_CHUNKS: Final = {"00 stop": 0x3E, "01 stop and report": 0x7E, "10 skip": 0xBE, "11 skip and report": 0xFE}
RESERVED_CHUNKS: Final = {"00 stop": 63, "01 stop and report": 127, "10 skip": 191, "11 skip and report": 255}
UNKNOWN_PARAMETERS: Final = {
    "00 stop": 0x3FF0,
    "01 stop and report": 0x7FF0,
    "10 skip": 0xBFF0,
    "11 skip and report": 0xFFF0,
}


def with_parameters(setup: bytes, *parameters: bytes) -> bytes:
    """An INIT or INIT ACK chunk with more parameters behind its own."""
    value = setup[4 : int.from_bytes(setup[2:4], "big")]
    padding = bytes(-len(value) & 3)
    return chunk(setup[0], 0, value + (padding if parameters else b"") + b"".join(parameters))


# Section 3.2, table 2


@pytest.mark.parametrize("kind", [*UNKNOWN_CHUNKS.values(), *RESERVED_CHUNKS.values()])
def test_an_unknown_chunk_is_treated_as_its_two_highest_bits_say(kind: int) -> None:
    """00 "Stop processing this SCTP packet", 01 the same "and report", 10 "Skip this chunk and continue processing",
    11 the same, "but report it in an ERROR chunk using the 'Unrecognized Chunk Type' error cause".
    """
    with Scripted() as lab:
        lab.up_outgoing()
        unknown = chunk(kind, 0x55, b"what?")
        heard = lab.ask(unknown, control.heartbeat(b"still there?"))
        expected = []
        if kind & CHUNK_REPORT:
            expected.append("ERROR Unrecognized Chunk Type (")
        if kind & CHUNK_SKIP:
            expected.append("HEARTBEAT ACK")
        assert len(heard) == (1 if expected else 0)
        told = heard[0].removeprefix("P: ").split("; ") if heard else []
        assert [line.startswith(start) for line, start in zip(told, expected, strict=True)] == [True] * len(expected)
        if kind & CHUNK_REPORT:
            [(code, value)] = items(lab.chunk("ERROR"))
            assert code == CAUSE_UNRECOGNIZED_CHUNK
            assert value.rstrip(b"\0") == unknown[: len(value)].rstrip(b"\0") == unknown.rstrip(b"\0")


def test_several_unknown_chunks_are_reported_in_one_packet_at_most() -> None:
    """Section 12.2.4: a packet must not be made to draw a larger one."""
    with Scripted() as lab:
        lab.up_outgoing()
        heard = lab.ask(*[chunk(0xFE, 0, bytes(20)) for _ in range(50)])
        assert len(heard) == 1
        assert len(lab.heard[-1].data) <= 1472


def test_chunks_before_an_unknown_one_have_been_processed() -> None:
    with Scripted() as lab:
        lab.up_outgoing()
        assert lab.ask(control.heartbeat(b"1"), chunk(0x3E, 0, b""), control.heartbeat(b"2")) == [
            "P: HEARTBEAT ACK Heartbeat Info (1 byte)"
        ]


def test_an_unknown_chunk_alone_draws_nothing_but_a_report() -> None:
    with Scripted() as lab:
        lab.up_outgoing()
        assert lab.ask(chunk(0x3E, 0, b"")) == []
        assert lab.ask(chunk(0xBE, 0, b"")) == []
        assert lab.ask(chunk(0xFE, 0, b"")) == ["P: ERROR Unrecognized Chunk Type (chunk 254)"]


# Section 3.2, flags, length and padding


def test_reserved_flags_are_ignored() -> None:
    """Section 3.2: "they are set to 0 on transmit and are ignored on receipt"."""
    with Scripted() as lab:
        association = lab.up_outgoing()
        heartbeat = control.heartbeat(b"?")
        assert lab.ask(heartbeat[:1] + b"\xff" + heartbeat[2:]) == ["P: HEARTBEAT ACK Heartbeat Info (1 byte)"]
        shutdown = control.shutdown(lab.a_tsn - 1)
        assert lab.ask(shutdown[:1] + b"\xff" + shutdown[2:]) == ["P: SHUTDOWN ACK"]
        complete = control.shutdown_complete()
        lab.ask(complete[:1] + b"\xfe" + complete[2:])
        assert association.ended


def test_reserved_flags_of_setup_chunks_are_ignored() -> None:
    """Sections 3.3.2 and 3.3.3: "reserved, and all bits in it SHOULD be [...] ignored by the receiver"."""

    def flagged(setup: bytes) -> bytes:
        return setup[:1] + b"\xff" + setup[2:]

    with Scripted() as lab:
        lab.connect()
        assert lab.ask(flagged(lab.init_ack())) == ["P: COOKIE ECHO 32 bytes"]
        lab.ask(flagged(control.cookie_ack()))
        [association] = lab.endpoint.associations.values()
        assert association.state == ESTABLISHED
    with Scripted() as lab:
        lab.endpoint.listen()
        [answer] = lab.ask(flagged(lab.init()), tag=0)
        assert answer.startswith("P: INIT ACK tag")


def test_a_partial_chunk_at_the_end_is_dropped_and_what_was_before_counts() -> None:
    """Section 6.10: "If the receiver detects a partial chunk, it MUST drop the chunk"."""
    with Scripted() as lab:
        lab.up_outgoing()
        heartbeat = control.heartbeat(b"0123456789ab")
        for left in range(1, len(heartbeat)):
            [answer] = lab.ask(control.heartbeat(b"whole"), heartbeat[:left])
            assert answer == "P: HEARTBEAT ACK Heartbeat Info (5 bytes)", left


@pytest.mark.parametrize("length", [0, 1, 2, 3])
def test_a_chunk_length_below_four_ends_the_packet(length: int) -> None:
    with Scripted() as lab:
        lab.up_outgoing()
        broken = bytes([0xFE, 0, 0, length])
        assert lab.ask(control.heartbeat(b"1"), broken, control.heartbeat(b"2")) == [
            "P: HEARTBEAT ACK Heartbeat Info (1 byte)"
        ]
        assert lab.ask(broken) == []


def test_a_packet_without_a_chunk_is_nothing() -> None:
    with Scripted() as lab:
        association = lab.up_outgoing()
        assert lab.ask() == []
        assert lab.ask(b"\0") == []
        assert association.state == ESTABLISHED


def test_padding_may_be_counted_in_the_chunk_length_or_missing_at_the_end() -> None:
    """Section 3.2: "A robust implementation is expected to accept the chunk whether or not the final padding has been
    included in the Chunk Length".
    """
    info = item(1, b"12345")  # Padded by three bytes.
    with Scripted() as lab:
        lab.up_outgoing()
        counted = bytes([4, 0]) + (4 + len(info)).to_bytes(2, "big") + info
        not_counted = bytes([4, 0]) + (4 + len(info) - 3).to_bytes(2, "big") + info
        for heartbeat in (counted, not_counted, not_counted[:-3]):
            [answer] = lab.ask(heartbeat)
            assert answer == "P: HEARTBEAT ACK Heartbeat Info (5 bytes)"


def test_padding_is_not_looked_at() -> None:
    """Section 3.2: "The receiver MUST ignore the padding bytes"."""
    with Scripted() as lab:
        lab.up_outgoing()
        heartbeat = control.heartbeat(b"12345")
        assert lab.ask(heartbeat[:-3] + b"\xff\xff\xff") == ["P: HEARTBEAT ACK Heartbeat Info (5 bytes)"]


def test_what_is_sent_is_padded_to_four_bytes_with_zeros() -> None:
    """Section 3.2: "the sender MUST pad the chunk with all zero bytes [...] MUST NOT pad with more than 3 bytes"."""
    with Scripted() as lab:
        association = lab.up_outgoing()
        for size in range(1, 9):
            association.send(lab.a.now, b"\xff" * size)
        lab.network.run_for(0.02)
        for packet in lab.heard:
            assert len(packet.data) % 4 == 0
        sent = b"".join(packet.data[12:] for packet in lab.heard if "DATA" in packet.chunks)
        assert sum(len(value) - 12 for _, _, value in chunks(bytes(12) + sent)) == sum(range(1, 9))
        assert len(sent) == sum(16 + (size + 3 & ~3) for size in range(1, 9))


# Section 3.2.1, table 3, and section 3.2.2


@pytest.mark.parametrize("kind", UNKNOWN_PARAMETERS.values(), ids=list(UNKNOWN_PARAMETERS))
def test_an_unknown_parameter_of_an_init_is_treated_as_its_two_highest_bits_say(kind: int) -> None:
    """In all four cases "an INIT ACK [...] is sent in response"; what must be reported comes in it as "Unrecognized
    Parameter"; 00 and 01 end the processing of what follows: the address, here.
    """
    # RFC 9260 section 3.3.3.1.2.
    with Scripted(paths=2) as lab:
        lab.endpoint.listen()
        address = item(5, lab.p.packed[1])
        [answer] = lab.ask(with_parameters(lab.init(), item(kind, b"what?"), address), tag=0)
        assert answer.startswith("P: INIT ACK")
        reported = [value for code, value in items(lab.chunk("INIT ACK"), 16) if code == PARAM_UNRECOGNIZED]
        assert reported == ([item(kind, b"what?")[: 4 + 5]] if kind & 0x4000 else [])
        lab.ask(control.cookie_echo(lab.cookie()))
        [association] = lab.endpoint.associations.values()
        assert len(association.paths) == (2 if kind & PARAM_SKIP else 1)


@pytest.mark.parametrize("kind", UNKNOWN_PARAMETERS.values(), ids=list(UNKNOWN_PARAMETERS))
def test_an_unknown_parameter_of_an_init_ack_is_reported_with_the_cookie_echo(kind: int) -> None:
    """Section 3.2.2: "it SHOULD bundle the ERROR chunk containing the "Unrecognized Parameters" error cause with the
    chunk sent in response (e.g., COOKIE ECHO)"; the COOKIE ECHO "MUST be the first chunk".
    """
    with Scripted(paths=2) as lab:
        association = lab.connect("10.0.1.2")
        address = item(5, lab.p.packed[1])
        [answer] = lab.ask(with_parameters(lab.init_ack(), item(kind, b"what?"), address))
        assert lab.heard[-1].chunks == ["COOKIE ECHO", "ERROR"] if kind & 0x4000 else ["COOKIE ECHO"], answer
        if kind & 0x4000:
            [(code, value)] = items(lab.chunk("ERROR"))
            assert (code, value.rstrip(b"\0")) == (CAUSE_UNRECOGNIZED_PARAMETERS, item(kind, b"what?").rstrip(b"\0"))
        assert association.state == COOKIE_ECHOED
        assert len(association.paths) == (2 if kind & PARAM_SKIP else 1)


def test_a_state_cookie_behind_a_parameter_that_stops_is_missing() -> None:
    """The processing "is canceled": there is no cookie, and without one no association (section 5.1)."""
    with Scripted() as lab:
        association = lab.connect()
        bare = lab.init_ack(cookie=None)
        [answer] = lab.ask(with_parameters(bare, item(0x3FF0, b"stop"), item(7, b"cookie")))
        assert answer == "P: ABORT Missing Mandatory Parameter (State Cookie)"
        assert association.ended


def test_an_unrecognized_parameter_we_are_told_of_changes_nothing() -> None:
    with Scripted() as lab:
        lab.connect()
        [answer] = lab.ask(with_parameters(lab.init_ack(), item(PARAM_UNRECOGNIZED, item(0xC000, b""))))
        assert answer == "P: COOKIE ECHO 32 bytes"


def test_many_unknown_parameters_are_reported_as_far_as_there_is_room() -> None:
    with Scripted() as lab:
        lab.endpoint.listen()
        lab.network.set(fragment=True)
        unknown = [item(0xFFF0, bytes(1000)) for _ in range(60)]
        [answer] = lab.ask(with_parameters(lab.init(), *unknown), tag=0)
        assert answer.startswith("P: INIT ACK")
        assert lab.ask(control.cookie_echo(lab.cookie())) == ["P: COOKIE ACK"]


@pytest.mark.parametrize("length", [0, 1, 3, 5, 200])
def test_an_init_with_a_parameter_of_an_impossible_length_is_refused(length: int) -> None:
    """Section 5.1: "invalid parameter values [...] it SHOULD respond with an ABORT chunk"."""
    with Scripted() as lab:
        lab.endpoint.listen()
        broken = (0x8001).to_bytes(2, "big") + length.to_bytes(2, "big")
        assert lab.ask(with_parameters(lab.init(), broken), tag=0) == ["P: ABORT Invalid Mandatory Parameter"]


@pytest.mark.parametrize("kind", [5, 6, 9])
def test_an_init_with_a_known_parameter_of_a_wrong_length_is_refused(kind: int) -> None:
    with Scripted() as lab:
        lab.endpoint.listen()
        broken = with_parameters(lab.init(), item(kind, b"12345"))
        assert lab.ask(broken, tag=0) == ["P: ABORT Invalid Mandatory Parameter"]


@pytest.mark.parametrize("kind", [12, 0x8000, 0x8008, 7])
def test_known_parameters_that_say_nothing_here_are_passed_over(kind: int) -> None:
    """Supported Address Types, Reserved for ECN Capable, Supported Extensions; a State Cookie has no place in an
    INIT.
    """
    with Scripted(paths=2) as lab:
        lab.endpoint.listen()
        [answer] = lab.ask(with_parameters(lab.init(), item(kind, b"\0\5\0\6"), item(5, lab.p.packed[1])), tag=0)
        assert answer.startswith("P: INIT ACK")
        assert "Unrecognized" not in answer
        lab.ask(control.cookie_echo(lab.cookie()))
        [association] = lab.endpoint.associations.values()
        assert len(association.paths) == 2


# Section 3.3.10


def test_an_error_chunk_is_told_to_the_user_and_ends_nothing() -> None:
    """Section 3.3.10: "An Operation Error is not considered fatal in and of itself"."""
    with Scripted() as lab:
        association = lab.up_outgoing()
        assert lab.ask(control.error([(1, b"\0\7\0\0"), (0x1234, b"who knows")])) == []
        assert association.state == ESTABLISHED
        [event] = lab.events_of(RemoteError)
        assert event.causes == [(1, b"\0\7\0\0"), (0x1234, b"who knows")]


def test_a_malformed_error_chunk_is_dropped() -> None:
    with Scripted() as lab:
        association = lab.up_outgoing()
        assert lab.ask(chunk(9, 0, b"\0\1\0\3")) == []
        assert association.state == ESTABLISHED
        assert lab.events_of(RemoteError) == []


def test_a_packet_with_a_wrong_checksum_is_dropped() -> None:
    """Section 6.8: "The default procedure for handling invalid SCTP packets is to silently discard them"."""
    with Scripted() as lab:
        lab.up_outgoing()
        assert lab.ask(control.heartbeat(b"?"), checksum=False) == []
        assert lab.ask(control.heartbeat(b"?"), tag=99, checksum=False) == []
        assert lab.ask(lab.init(), tag=0, checksum=False) == []
        assert lab.a.stack.stats.bad_checksum >= 2
