"""Fuzzing of ``sctpx.wire`` with atheris (https://github.com/google/atheris).

    pip install atheris
    PYTHONPATH=src python tests/fuzz/fuzz_wire.py -runs=100000 [a directory with a corpus]

The invariant: any bytes give every parser a value or ``ParseError``; a parsed value that can be built again
parses to the same value; and a packet is described in one printable line. The first byte of an input chooses
what the rest is taken for, so that the fuzzer finds its way into each parser.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress

import atheris

with atheris.instrument_imports(include=["sctpx.wire"]):
    from sctpx.wire import asconf, causes, control, forward, packet, params, reconfig, sack, setup, tlv
    from sctpx.wire.codes import PARAM_IPV4, PARAM_IPV6
    from sctpx.wire.describe import LIMIT, chunk_names, describe

REFERENCE = 1 << 32
"""The TSN that those of a SACK are near to."""

SENT = (
    "initiate_tag",
    "a_rwnd",
    "outbound_streams",
    "inbound_streams",
    "initial_tsn",
    "addresses",
    "cookie",
    "cookie_preservative",
    "extensions",
)
"""What an INIT or INIT ACK sends of a ``Setup``: never a host name, and reports are for the other side."""


def fuzz_packet(data: bytes) -> None:
    line = describe(data)
    assert line.isascii()
    assert line.isprintable()
    assert 0 < len(line) <= LIMIT
    found = packet.chunks(data)
    assert len(found) == len(chunk_names(data))
    rebuilt = packet.finish_packet(data[:8], b"".join([tlv.chunk(kind, flags, value) for kind, flags, value in found]))
    if len(data) >= 12:
        assert packet.verify_packet(rebuilt)
        assert packet.chunks(rebuilt) == found
    packet.verify_packet(data)
    packet.parse_prefix(data)


def fuzz_chunks(data: bytes) -> None:
    """The input as chunks: the fuzzer need not find a header, and reaches the formatters sooner."""
    fuzz_packet(packet.finish_packet(packet.prefix(1, 2, 3), data))


def fuzz_items(data: bytes) -> None:
    found = tlv.items(data)
    assert tlv.items(tlv.join(found)) == found


def fuzz_init(data: bytes) -> None:
    check_setup(setup.parse(data), ack=False)


def fuzz_init_ack(data: bytes) -> None:
    check_setup(setup.parse(data, ack=True), ack=True)


def check_setup(parsed: setup.Setup, ack: bool) -> None:
    again = setup.parse(parsed.encode(ack)[4:], ack)
    for name in SENT:
        assert getattr(again, name) == getattr(parsed, name)
    parsed.encode(ack=True)
    causes.encode([causes.unrecognized_parameters(parsed.unrecognized)])


def fuzz_sack(data: bytes) -> None:
    parsed = sack.parse(data, REFERENCE)
    cumulative_tsn_ack, _, ranges, duplicates = parsed
    last = cumulative_tsn_ack
    for start, end in ranges:
        assert last < start < end <= cumulative_tsn_ack + 65536
        last = end
    if 16 + 4 * len(ranges) + 4 * len(duplicates) <= tlv.MAX_LENGTH:
        assert sack.parse(sack.encode(*parsed)[4:], REFERENCE) == parsed


def fuzz_causes(data: bytes) -> None:
    found = causes.parse(data)
    assert causes.parse(causes.encode(found)) == found


def fuzz_heartbeat(data: bytes) -> None:
    info = control.parse_heartbeat_info(data)
    assert control.parse_heartbeat_info(control.heartbeat(info)[4:]) == info


def fuzz_shutdown(data: bytes) -> None:
    assert control.shutdown(control.parse_shutdown(data))[4:] == data


def fuzz_addresses(data: bytes) -> None:
    kind = PARAM_IPV4 if len(data) <= 4 else PARAM_IPV6
    ip = params.parse_address(kind, data)
    params.is_unicast(ip)
    assert tlv.items(params.address(ip)) == [(kind, ip)]


def fuzz_forward_tsn(data: bytes) -> None:
    tsn, skipped = forward.parse(False, data)
    assert forward.encode(False, tsn, skipped)[4:] == data


def fuzz_i_forward_tsn(data: bytes) -> None:
    tsn, skipped = forward.parse(True, data)
    assert forward.parse(True, forward.encode(True, tsn, skipped)[4:]) == (tsn, skipped)


def fuzz_reconfig(data: bytes) -> None:
    found, _ = reconfig.parse(data)
    reconfig.may_be_together(found)
    if sum(len(one.value()) + 7 for one in found) < tlv.MAX_LENGTH:
        again, reported = reconfig.parse(reconfig.encode(found)[4:])
        assert not reported
        assert [one.value() for one in again] == [one.value() for one in found]


def fuzz_asconf(data: bytes) -> None:
    serial, requests = asconf.parse(data)
    values = [(one.kind, one.value) for one in requests]
    if sum(len(value) + 7 for _, value in values) < tlv.MAX_LENGTH - 28:
        number, again = asconf.parse(asconf.encode(serial, bytes(4), requests)[4:])
        assert (number, [(one.kind, one.value) for one in again]) == (serial, values)
    for one in requests:
        with suppress(tlv.ParseError):
            asconf.parse_request(one.kind, one.value)


def fuzz_asconf_ack(data: bytes) -> None:
    serial, answers, _ = asconf.parse_ack(data)
    if sum(len(one.parameter[1]) + 7 for one in answers) < tlv.MAX_LENGTH - 8:
        number, again, _ = asconf.parse_ack(asconf.encode_ack(serial, answers)[4:])
        assert number == serial
        assert [one.parameter for one in again] == [one.parameter for one in answers]


TARGETS: list[Callable[[bytes], None]] = [
    fuzz_packet,
    fuzz_chunks,
    fuzz_items,
    fuzz_init,
    fuzz_init_ack,
    fuzz_sack,
    fuzz_causes,
    fuzz_heartbeat,
    fuzz_shutdown,
    fuzz_addresses,
    fuzz_forward_tsn,
    fuzz_i_forward_tsn,
    fuzz_reconfig,
    fuzz_asconf,
    fuzz_asconf_ack,
]


def fuzz(data: bytes) -> None:
    """One input; raises if the invariant does not hold."""
    if not data:
        return
    with suppress(tlv.ParseError):
        TARGETS[data[0] % len(TARGETS)](data[1:])


if __name__ == "__main__":
    atheris.Setup(sys.argv, fuzz)
    atheris.Fuzz()
