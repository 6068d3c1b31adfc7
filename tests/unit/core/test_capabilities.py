"""What is offered, what the peer said, what both agree on. The rows are made up, beside those of ``CAPABILITIES``."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Final

from sctpx.core import capabilities
from sctpx.core.capabilities import CAPABILITIES, Capability, agreed, offer, offered, said
from sctpx.core.config import AssociationConfig
from sctpx.wire.auth import AuthParameters
from sctpx.wire.codes import CHUNK_ASCONF, CHUNK_ASCONF_ACK, CHUNK_I_DATA, PARAM_ECN_CAPABLE
from sctpx.wire.packet import chunks
from sctpx.wire.setup import Setup, parse

ADDRESS_CHANGE: Final = 1
INTERLEAVING: Final = 2
ECN: Final = 4
ROWS: Final = (
    Capability(ADDRESS_CHANGE, "address change", "asconf", bytes((CHUNK_ASCONF, CHUNK_ASCONF_ACK)), -1, "RFC 5061"),
    Capability(INTERLEAVING, "interleaving", "interleaving", bytes((CHUNK_I_DATA,)), -1, "RFC 8260"),
    Capability(ECN, "ECN", "ecn", b"", PARAM_ECN_CAPABLE, "RFC 3168"),
)


def through_the_wire(bits: int) -> Setup:
    """What the peer reads of an INIT that offers these."""
    setup = Setup(1, 65536, 10, 10, 1)
    offer(setup, bits, ROWS)
    [(_, _, value)] = chunks(bytes(12) + setup.encode())
    return parse(value)


def test_the_parameters_of_the_association_switch_capabilities_on() -> None:
    config = SimpleNamespace(asconf=True, interleaving=False, ecn=True)
    assert offered(config, ROWS) == ADDRESS_CHANGE | ECN


def test_every_combination_arrives_as_it_was_offered() -> None:
    for bits in range(8):
        assert said(through_the_wire(bits), ROWS) == bits


def test_what_is_said_is_in_supported_extensions_and_in_parameters_of_its_own() -> None:
    setup = through_the_wire(ADDRESS_CHANGE | INTERLEAVING | ECN)
    assert setup.extensions == bytes((CHUNK_ASCONF, CHUNK_ASCONF_ACK, CHUNK_I_DATA))
    assert setup.flags == [PARAM_ECN_CAPABLE]


def test_a_peer_that_offers_nothing_says_nothing() -> None:
    assert through_the_wire(0).extensions == b""
    assert said(Setup(1, 65536, 10, 10, 1), ROWS) == 0


def test_each_row_has_a_bit_of_its_own_and_a_parameter_of_the_association() -> None:
    bits = [row.bit for row in CAPABILITIES]
    assert len(set(bits)) == len(bits)
    assert all(bit.bit_count() == 1 and bit < 1 << 16 for bit in bits)
    assert all(hasattr(AssociationConfig(), row.field) for row in CAPABILITIES)
    assert AssociationConfig().capabilities == offered(AssociationConfig())


def peer_with(bits: int, method: int = 0) -> Setup:
    """What a peer says that can do this."""
    setup = Setup(1, 65536, 10, 10, 1)
    offer(setup, bits, method=method)
    if bits & capabilities.AUTHENTICATION:
        setup.auth = AuthParameters(bytes(32), b"", b"\0\1")
    return setup


def test_address_reconfiguration_is_agreed_with_authentication_or_where_we_do_without() -> None:
    """RFC 5061 section 4.2.7: ASCONF chunks are authenticated. No other extension is spoken without what it needs."""
    addresses, auth = capabilities.ADDRESS_RECONFIGURATION, capabilities.AUTHENTICATION
    without = capabilities.UNAUTHENTICATED_ASCONF
    partial = capabilities.INTERLEAVED_PARTIAL_RELIABILITY
    ours = addresses | auth | partial | capabilities.INTERLEAVING
    assert agreed(ours, peer_with(addresses | auth), 0) == addresses | auth
    assert agreed(ours, peer_with(addresses), 0) == 0
    assert agreed(ours | without, peer_with(addresses), 0) == addresses | without
    assert agreed(ours | without, peer_with(partial), 0) == without


def test_packets_without_a_checksum_are_sent_where_both_name_the_same_method() -> None:
    """RFC 9653 section 5."""
    takes, sends = capabilities.TAKES_ZERO_CHECKSUM, capabilities.SENDS_ZERO_CHECKSUM
    assert agreed(takes, peer_with(takes, 1), 1) == takes | sends
    assert agreed(takes, peer_with(takes, 2), 1) == takes
    assert agreed(takes, peer_with(0, 1), 1) == takes
    assert agreed(0, peer_with(takes, 1), 1) == 0
