"""RFC 9260 sections 3.3.2 and 3.3.3: what is in the INIT and INIT ACK that an endpoint sends, whatever it offers."""

from __future__ import annotations

from typing import Final

import pytest

from sctpx.core.association.state import COOKIE_ECHOED
from sctpx.core.config import AssociationConfig
from sctpx.core.endpoint import PeerAddress
from sctpx.core.stack import Stack
from sctpx.testing import seeded_bytes
from sctpx.wire import control
from sctpx.wire.codes import (
    PARAM_HOST_NAME,
    PARAM_IPV4,
    PARAM_IPV6,
    PARAM_SUPPORTED_ADDRESS_TYPES,
    PARAM_UNRECOGNIZED,
)
from sctpx.wire.packet import chunks
from sctpx.wire.params import IPV4_MAPPED
from sctpx.wire.setup import Setup, parse
from sctpx.wire.tlv import item, items
from tests.sim.scripted import Scripted

FIXED: Final = 16
"""Bytes of the fixed fields."""
RICH: Final = AssociationConfig(
    partial_reliability=True,
    stream_reconfiguration=True,
    interleaving=True,
    authentication=True,
    address_reconfiguration=True,
    ecn=True,
    adaptation_layer=7,
)
"""All that puts parameters into INIT and INIT ACK."""


def parameters(lab: Scripted, name: str) -> list[tuple[int, bytes]]:
    """Those of the last INIT or INIT ACK that P heard."""
    return items(lab.chunk(name), FIXED)


def heard(name: str) -> list[tuple[int, bytes]]:
    """The parameters of an INIT or an INIT ACK of an endpoint with two addresses that offers everything."""
    with Scripted(paths=2, config=RICH) as lab:
        lab.endpoint.announce = list(lab.endpoint.local)
        if name == "INIT":
            lab.connect()
        else:
            lab.endpoint.listen()
            offer = lab.a.open_endpoint(5001, RICH).connect(lab.a.now, lab.p.peer_addresses, 5000)
            lab.network.run_for(0.015)
            offered = parse(lab.chunk("INIT"))
            offer.abort(lab.a.now)
            lab.ask(_as_peer(lab, offered), tag=0)
        return parameters(lab, name)


def _as_peer(lab: Scripted, offered: Setup) -> bytes:
    """An INIT of P that offers what A has offered."""
    offered.initiate_tag = lab.p_tag
    offered.addresses = []
    return offered.encode()


@pytest.mark.parametrize("name", ["INIT", "INIT ACK"])
def test_each_parameter_is_there_once(name: str) -> None:
    """ "each parameter MUST only be included once in the INIT chunk"; addresses are as many as there are."""
    found = heard(name)
    kinds = [kind for kind, _ in found if kind not in (PARAM_IPV4, PARAM_IPV6, PARAM_UNRECOGNIZED)]
    assert len(kinds) > 5
    assert len(kinds) == len(set(kinds))
    addresses = [value for kind, value in found if kind in (PARAM_IPV4, PARAM_IPV6)]
    assert len(addresses) == len(set(addresses))


@pytest.mark.parametrize("name", ["INIT", "INIT ACK"])
def test_no_host_name_is_sent_nor_named_as_an_address_type(name: str) -> None:
    """Sections 3.3.2.1.4 and 3.3.2.1.5: the sender "MUST NOT include this parameter"; its type "MUST NOT be used"."""
    found = heard(name)
    assert PARAM_HOST_NAME not in [kind for kind, _ in found]
    types = [value for kind, value in found if kind == PARAM_SUPPORTED_ADDRESS_TYPES]
    assert types == ([PARAM_IPV4.to_bytes(2, "big")] if name == "INIT" else [])


def test_the_type_of_a_host_name_among_the_address_types_is_ignored() -> None:
    """Section 3.3.2.1.5: it "MUST be ignored when receiving this parameter"."""
    with Scripted() as lab:
        lab.endpoint.listen()
        for types in (b"\0\x0b", b"\0\x0b\0\5"):
            init = lab.init()
            value = init[4:] + item(PARAM_SUPPORTED_ADDRESS_TYPES, types)
            lab.ask(b"\1\0" + (len(value) + 4).to_bytes(2, "big") + value, tag=0)
            assert lab.heard[-1].chunks == ["INIT ACK"]


def test_tags_and_initial_tsns_are_random() -> None:
    """Section 3.3.2: "the Initial TSN SHOULD be set to a random value"; section 5.1: the tag "SHOULD be a random number
    in the range of 1 to 4294967295".
    """
    found: list[Setup] = []
    for seed in range(40):
        stack = Stack(seeded_bytes(seed), 10**18)
        stack.open_endpoint(5000).connect(10**18, [PeerAddress(bytes((192, 0, 2, 1)), 9899)], 5000)
        transmit = stack.poll_transmit(10**18)
        assert transmit is not None
        found.append(parse(chunks(transmit.data)[0][2]))
    with Scripted() as lab:
        lab.endpoint.listen()
        for _ in range(40):
            lab.ask(lab.init(), tag=0, seconds=0.025)
            found.append(lab.setup("INIT ACK"))
    for numbers in ([setup.initiate_tag for setup in found], [setup.initial_tsn for setup in found]):
        assert len(set(numbers)) == len(numbers)
        # Each bit is set in some and not in others.
        some, all_ = 0, 0xFFFFFFFF
        for number in numbers:
            some |= number
            all_ &= number
        assert (some, all_) == (0xFFFFFFFF, 0)


def test_an_init_ack_without_addresses_has_its_source_as_the_only_one() -> None:
    """Section 3.3.3: the receiver "MUST use the source address associated with the received IP datagram as its sole
    destination address".
    """
    with Scripted(paths=2) as lab:
        association = lab.connect()
        lab.ask(lab.init_ack(), source=lab.p.addresses[0])
        assert association.state == COOKIE_ECHOED
        assert [path.remote for path in association.paths] == [lab.p.packed[0]]


def test_a_mapped_address_that_an_init_lists_is_passed_over() -> None:
    """Section 3.3.2.1.2: "A sender MUST NOT use an IPv4-mapped IPv6 address"; and nobody sends to one."""
    with Scripted(ipv6=True) as lab:
        lab.endpoint.listen()
        mapped, other = IPV4_MAPPED + bytes((10, 0, 0, 9)), bytes((0x20, 1, 0x0D, 0xB8)) + bytes(11) + b"\x09"
        lab.ask(lab.init(addresses=[mapped, other]), tag=0)
        lab.ask(control.cookie_echo(lab.cookie()))
        [association] = lab.endpoint.associations.values()
        assert [path.remote for path in association.paths] == [lab.p.packed[0], other]
