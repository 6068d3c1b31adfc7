"""Capture files: packets of a simulation for Wireshark, tshark and tcpdump.

The file is a classic pcap with nanosecond timestamps and link type RAW: each record is an IP packet. The IP
and UDP headers are made up here, from the addresses and ports of the simulation, with right lengths and
checksums: SCTP in UDP (RFC 6951) where the packet has UDP ports, protocol 132 where it has none, and ICMP
with the returned packet for an ICMP error. Wireshark takes UDP port 9899, the default of hosts, for SCTP; other
ports need ``-d udp.port==...,sctp``.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Collection, Iterable
from struct import Struct
from typing import BinaryIO, Final, final

from ..core.ip import without_zone
from ..core.outputs import CLASS_SHIFT
from .clock import SECOND
from .packet import Packet

_FILE_HEADER: Final = Struct("<IHHiIII")
_RECORD_HEADER: Final = Struct("<IIII")
_IPV4_HEADER: Final = Struct(">BBHHHBBH4s4s")
_IPV6_HEADER: Final = Struct(">IHBB16s16s")
_UDP_HEADER: Final = Struct(">HHHH")
_ICMP_HEADER: Final = Struct(">BBHI")

_MAGIC_NANOSECONDS: Final = 0xA1B23C4D
_LINKTYPE_RAW: Final = 101
_SNAPLEN: Final = 262144
_HOP_LIMIT: Final = 64

_PROTOCOL_ICMP: Final = 1
_PROTOCOL_UDP: Final = 17
_PROTOCOL_ICMPV6: Final = 58
_PROTOCOL_SCTP: Final = 132

# Destination unreachable: type, and code by errno (RFC 792 for IPv4, RFC 4443 for IPv6).
_UNREACHABLE_IPV4: Final = 3
_CODES_IPV4: Final = {
    errno.ENETUNREACH: 0,
    errno.EHOSTUNREACH: 1,
    errno.ENOPROTOOPT: 2,
    errno.ECONNREFUSED: 3,
    errno.EMSGSIZE: 4,
}
_UNREACHABLE_IPV6: Final = 1
_CODES_IPV6: Final = {errno.ENETUNREACH: 0, errno.EHOSTUNREACH: 3, errno.ECONNREFUSED: 4}


@final
class PcapWriter:
    """Writes packets to an open binary file."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        file.write(_FILE_HEADER.pack(_MAGIC_NANOSECONDS, 2, 4, 0, 0, _SNAPLEN, _LINKTYPE_RAW))

    def write(self, packet: Packet, when: int) -> None:
        """Write one packet as of ``when`` (nanoseconds)."""
        record = ip_packet(packet)
        seconds, nanoseconds = divmod(when, SECOND)
        self._file.write(_RECORD_HEADER.pack(seconds, nanoseconds, len(record), len(record)) + record)


def write_pcap(path: str | os.PathLike[str], packets: Iterable[Packet], seen_by: Collection[bytes] = ()) -> None:
    """Write packets to a capture file, each as of the time it was sent.

    ``seen_by``: only what the host with these (packed) addresses saw: what it sent, when it sent it, and
    what it got, when it got it.
    """
    seen: list[tuple[int, Packet]] = []
    for packet in packets:
        if not seen_by or (packet.source in seen_by and not packet.copy):
            seen.append((packet.sent, packet))
        elif packet.destination in seen_by and packet.arrived >= 0:
            seen.append((packet.arrived, packet))
    seen.sort(key=lambda entry: entry[0])
    with open(path, "wb") as file:
        writer = PcapWriter(file)
        for when, packet in seen:
            writer.write(packet, when)


def ip_packet(packet: Packet) -> bytes:
    """The packet with the IP header, and the UDP or ICMP header, it would have on the wire."""
    if packet.icmp:
        return _icmp_packet(packet)
    return _encapsulated(packet, packet.source, packet.destination, packet.source_port, packet.destination_port)


def _encapsulated(packet: Packet, source: bytes, destination: bytes, source_port: int, destination_port: int) -> bytes:
    source, destination = without_zone(source), without_zone(destination)
    protocol, payload = _PROTOCOL_SCTP, packet.data
    if source_port or destination_port:
        protocol, length = _PROTOCOL_UDP, _UDP_HEADER.size + len(payload)
        header = _UDP_HEADER.pack(source_port, destination_port, length, 0)
        # A checksum of zero is sent as all ones: zero stands for none (RFC 768).
        checksum = _checksum(_pseudo_header(source, destination, protocol, length) + header + payload) or 0xFFFF
        payload = _UDP_HEADER.pack(source_port, destination_port, length, checksum) + payload
    return _ip(source, destination, protocol, payload, packet.flowinfo)


def _icmp_packet(packet: Packet) -> bytes:
    """An ICMP error: it returns a packet that had gone the other way."""
    source, destination = without_zone(packet.source), without_zone(packet.destination)
    returned = _encapsulated(packet, destination, source, packet.destination_port, packet.source_port)
    if len(source) == 4:
        protocol, kind, code, pseudo = _PROTOCOL_ICMP, _UNREACHABLE_IPV4, _CODES_IPV4.get(packet.icmp, 1), b""
    else:
        protocol, kind, code = _PROTOCOL_ICMPV6, _UNREACHABLE_IPV6, _CODES_IPV6.get(packet.icmp, 3)
        pseudo = _pseudo_header(source, destination, protocol, _ICMP_HEADER.size + len(returned))
    checksum = _checksum(pseudo + _ICMP_HEADER.pack(kind, code, 0, 0) + returned)
    return _ip(source, destination, protocol, _ICMP_HEADER.pack(kind, code, checksum, 0) + returned, 0)


def _ip(source: bytes, destination: bytes, protocol: int, payload: bytes, flowinfo: int) -> bytes:
    if len(source) == 16:
        return _IPV6_HEADER.pack(6 << 28 | flowinfo, len(payload), protocol, _HOP_LIMIT, source, destination) + payload
    length = _IPV4_HEADER.size + len(payload)
    fields = (0x45, flowinfo >> CLASS_SHIFT, length, 0, 0, _HOP_LIMIT, protocol)
    checksum = _checksum(_IPV4_HEADER.pack(*fields, 0, source, destination))
    return _IPV4_HEADER.pack(*fields, checksum, source, destination) + payload


def _pseudo_header(source: bytes, destination: bytes, protocol: int, length: int) -> bytes:
    """What the checksums of UDP and ICMPv6 cover besides (RFC 768, RFC 8200 section 8.1).

    With fields of 32 bits for both versions of IP: the zeros between change nothing in the sum.
    """
    return source + destination + length.to_bytes(4, "big") + protocol.to_bytes(4, "big")


def _checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    # 2^16 is 1 modulo 65535, so the number made of 16-bit words is congruent to their sum.
    # A sum that is not zero stays so when it is folded: it is 65535 then.
    total = int.from_bytes(data, "big")
    return 0xFFFF - ((total - 1) % 0xFFFF + 1 if total else 0)
