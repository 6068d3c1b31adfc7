"""RFC 9260 section 3.3.2: what the receiver of an INIT does about its contents."""

from __future__ import annotations

import pytest

from sctpx.core.association.state import ESTABLISHED, STATE_NAMES
from sctpx.core.config import AssociationConfig
from sctpx.core.endpoint import PeerAddress
from sctpx.core.stack import Stack
from sctpx.testing import pack_address, seeded_bytes
from sctpx.wire import control
from sctpx.wire.packet import chunks, parse_prefix
from sctpx.wire.tlv import item
from tests.sim.scripted import Scripted


def listening(paths: int = 1, config: AssociationConfig | None = None, ipv6: bool = False) -> Scripted:
    lab = Scripted(paths=paths, config=config, ipv6=ipv6)
    lab.endpoint.listen()
    return lab


def paths_after_setup(lab: Scripted) -> list[bytes]:
    """P's addresses as A has them, once P has echoed its cookie."""
    lab.ask(control.cookie_echo(lab.cookie()))
    [association] = lab.endpoint.associations.values()
    return [path.remote for path in association.paths]


def test_the_init_ack_goes_where_the_init_came_from() -> None:
    """Sections 5.1 and 5.1.2: "MUST be sent to the source address of the packet containing the INIT chunk"."""
    with listening(paths=3) as lab:
        for address in lab.p.addresses:
            lab.ask(lab.init(addresses=list(lab.p.packed)), tag=0, source=address)
            assert lab.heard[-1].destination_text == address


def test_the_init_ack_carries_a_cookie_and_the_numbers_of_the_listener() -> None:
    """Section 5.1 B; section 3.3.3: OS "MUST NOT be greater than the MIS value sent in the INIT chunk"."""
    with listening(config=AssociationConfig(streams=20, max_inbound_streams=33, receive_buffer=70_000)) as lab:
        lab.ask(lab.init(inbound_streams=7), tag=0)
        ack = lab.setup("INIT ACK")
        assert ack.cookie
        assert (ack.outbound_streams, ack.inbound_streams, ack.a_rwnd) == (7, 33, 70_000)
        assert ack.initiate_tag
        assert parse_prefix(lab.heard[-1].data)[2] == lab.p_tag


def test_an_init_ack_is_alone_in_its_packet_and_has_no_flags() -> None:
    """Section 5.1: "They MUST be the only chunks present in the SCTP packets that carry them"."""
    with listening() as lab:
        lab.ask(lab.init(), tag=0)
        [(kind, flags, _)] = chunks(lab.heard[-1].data)
        assert (kind, flags) == (2, 0)


def test_an_initiate_tag_of_0_is_silently_discarded() -> None:
    """Section 3.3.2: "If the value of the Initiate Tag in a received INIT chunk is found to be 0, the receiver MUST
    silently discard the packet."
    """
    with listening() as lab:
        assert lab.ask(lab.init(initiate_tag=0), tag=0) == []
        assert lab.ask(lab.init(initiate_tag=0, a_rwnd=0), tag=0) == []


@pytest.mark.parametrize(
    "changes", [{"a_rwnd": 1499}, {"a_rwnd": 0}, {"outbound_streams": 0}, {"inbound_streams": 0}], ids=str
)
def test_a_forbidden_value_draws_an_abort_with_the_initiate_tag(changes: dict[str, int]) -> None:
    """Section 3.3.2: "MUST discard the packet, SHOULD send a packet in response containing an ABORT chunk and using
    the Initiate Tag as the Verification Tag"; section 8.4, rule 3: the T bit is 0.
    """
    with listening() as lab:
        assert lab.ask(lab.init(**changes), tag=0) == ["P: ABORT Invalid Mandatory Parameter"]


@pytest.mark.parametrize("changes", [{"a_rwnd": 1499}, {"outbound_streams": 0}, {"inbound_streams": 0}], ids=str)
def test_it_does_not_change_the_state_of_an_existing_association(changes: dict[str, int]) -> None:
    """Section 3.3.2: "[...] and MUST NOT change the state of any existing association"."""
    with listening() as lab:
        association = lab.up_incoming()
        [answer] = lab.ask(lab.init(initiate_tag=0x77777777, **changes), tag=0)
        assert answer == "0x77777777: ABORT Invalid Mandatory Parameter"
        assert STATE_NAMES[association.state] == "ESTABLISHED"
        assert lab.ask(control.heartbeat(b"?")) == ["P: HEARTBEAT ACK Heartbeat Info (1 byte)"]


@pytest.mark.parametrize("a_rwnd", [1500, 1501, 0xFFFFFFFF])
def test_an_a_rwnd_of_1500_is_enough(a_rwnd: int) -> None:
    with listening() as lab:
        [answer] = lab.ask(lab.init(a_rwnd=a_rwnd), tag=0)
        assert answer.startswith("P: INIT ACK")


def test_the_largest_numbers_of_streams_are_fine() -> None:
    with listening() as lab:
        lab.ask(lab.init(outbound_streams=65535, inbound_streams=65535), tag=0)
        lab.ask(control.cookie_echo(lab.cookie()))
        [association] = lab.endpoint.associations.values()
        assert (association.outbound_streams, association.inbound_streams) == (10, 65535)


def test_a_host_name_address_draws_an_abort() -> None:
    """Note 3 and section 5.1.2 B: "MUST send an ABORT chunk and MAY include an "Unresolvable Address" error cause"."""
    with listening() as lab:
        init = lab.init()
        value = init[4:] + item(11, b"host.example\0")
        bad = init[:2] + (4 + len(value)).to_bytes(2, "big") + value
        [answer] = lab.ask(bad, tag=0)
        assert answer.startswith("P: ABORT Unresolvable Address (Host Name Address")


@pytest.mark.parametrize("tag", ["another", "its own"])
def test_an_init_with_a_verification_tag_is_discarded(tag: str) -> None:
    """Section 8.5.1 A: "The sender MUST set the Verification Tag of the packet to 0"."""
    with listening() as lab:
        association = lab.up_incoming()
        assert lab.ask(lab.init(), tag=lab.a_tag if tag == "its own" else 0x12345678) == []
        assert lab.ask(lab.init(), tag=0x12345678, source="10.0.1.77") == []
        assert association.state == ESTABLISHED


def test_nothing_behind_an_init_in_a_packet_of_an_association_counts() -> None:
    """Section 12.3: the receiver "MUST silently discard the INIT chunk and all further chunks if the INIT chunk is
    bundled with other chunks or the packet has a non-zero Verification Tag".
    """
    with listening() as lab:
        association = lab.up_incoming()
        assert lab.ask(lab.init(), control.heartbeat(b"?"), lab.data()) == []
        assert association.read() == []
        assert lab.ask(control.heartbeat(b"?")) != []


@pytest.mark.parametrize("first", [True, False])
def test_an_init_that_is_bundled_is_discarded(first: bool) -> None:
    """Section 8.5.1 A: with tag 0, "it SHOULD verify that the packet contains only an INIT chunk. Otherwise, the
    receiver MUST silently discard the packet"; sections 5.1 and 12.3: it "MUST NOT be bundled with any other chunk".
    """
    with listening() as lab:
        both = [lab.init(), lab.data()] if first else [lab.data(), lab.init()]
        assert lab.ask(*both, tag=0) == []
        assert lab.ask(lab.init(), control.cookie_ack(), tag=0) == []
        assert lab.ask(lab.init(), lab.init(), tag=0) == []


@pytest.mark.parametrize("length", range(4, 20))
def test_an_init_that_is_too_short_is_refused_if_it_has_a_tag(length: int) -> None:
    """Section 5.1: "due to missing mandatory parameters [...] it SHOULD respond with an ABORT chunk [...]. The
    Verification Tag field [...] MUST be set to the Initiate Tag value of the received INIT".
    """
    with listening() as lab:
        init = lab.init()
        short = init[:2] + length.to_bytes(2, "big") + init[4:length] + bytes(-length & 3)
        assert lab.ask(short, tag=0) == (["P: ABORT Invalid Mandatory Parameter"] if length >= 8 else [])
        assert lab.endpoint.associations == {}


# Addresses: section 5.1.2


def test_without_addresses_the_source_is_the_only_one() -> None:
    """Section 5.1.2 A."""
    with listening(paths=2) as lab:
        lab.ask(lab.init(), tag=0)
        assert paths_after_setup(lab) == [lab.p.packed[0]]


def test_with_addresses_the_source_counts_as_well() -> None:
    """Section 5.1.2 C: "all the transport addresses from the received chunk AND the source IP address"."""
    with listening(paths=3) as lab:
        lab.ask(lab.init(addresses=list(lab.p.packed[1:])), tag=0)
        assert set(paths_after_setup(lab)) == set(lab.p.packed)


IPV6 = bytes.fromhex("20010db8000000000000000000000002")


@pytest.mark.parametrize("own", [[], ["10.0.1.1", "2001:db8::1"]], ids=["any", "both"])
def test_addresses_of_both_families_are_taken_by_who_can_send_to_both(own: list[str]) -> None:
    with listening() as lab:
        lab.endpoint.local[:] = map(pack_address, own)
        lab.ask(lab.init(addresses=[lab.p.packed[0], IPV6]), tag=0)
        assert paths_after_setup(lab) == [lab.p.packed[0], IPV6]


@pytest.mark.parametrize(
    ("own", "types"),
    [(["10.0.1.1"], "0005"), (["2001:db8::1"], "0006"), (["10.0.1.1", "2001:db8::1"], "00050006"), ([], "00050006")],
)
def test_an_init_tells_which_families_are_spoken(own: list[str], types: str) -> None:
    """Section 3.3.2.1.5; section 5.1.2: the sender MAY "indicate what types of addresses are acceptable"."""
    stack = Stack(seeded_bytes(1), 0)
    endpoint = stack.open_endpoint(5000, [pack_address(ip) for ip in own])
    endpoint.connect(0, [PeerAddress(pack_address(own[0] if own else "10.0.1.2"), 9899)], 5000)
    transmit = stack.poll_transmit(0)
    assert transmit is not None
    value = bytes.fromhex(types)
    assert item(12, value) in transmit.data


@pytest.mark.parametrize(("wildcard", "other"), [("0.0.0.0", "2001:db8::2"), ("::", "10.9.9.9")])
def test_without_addresses_of_its_own_an_endpoint_keeps_to_the_families_that_it_was_given(
    wildcard: str, other: str
) -> None:
    here = "10.0.1.2" if "." in wildcard else "2001:db8:1::2"
    with listening(ipv6=":" in wildcard) as lab:
        lab.endpoint.local[:] = []
        lab.endpoint.wildcards = [pack_address(wildcard)]
        lab.ask(lab.init(addresses=[lab.p.packed[0], pack_address(other)]), tag=0)
        assert paths_after_setup(lab) == [pack_address(here)]


def test_addresses_of_a_family_that_is_not_spoken_here_are_ignored() -> None:
    """Section 5.1.2: "an SCTP endpoint that only supports either IPv4 or IPv6 [...] MUST use all the addresses
    belonging to the supported address family. The other addresses MAY be ignored. The endpoint SHOULD NOT respond with
    any kind of error indication."
    """
    with listening() as lab:
        assert lab.ask(lab.init(addresses=[lab.p.packed[0], IPV6]), tag=0)[0].startswith("P: INIT ACK")
        assert paths_after_setup(lab) == [lab.p.packed[0]]
        # They are no new addresses in a restart either.
        answer = lab.ask(lab.init(initiate_tag=7, addresses=[lab.p.packed[0], IPV6]), tag=0)
        assert answer[0].startswith("0x00000007: INIT ACK")
    with Scripted() as lab:
        association = lab.up_outgoing(addresses=[lab.p.packed[0], IPV6])
        assert [path.remote for path in association.paths] == [lab.p.packed[0]]


@pytest.mark.parametrize(
    "address",
    [
        "00000000",
        "ffffffff",
        "e0000001",
        "7f000001",
        "00" * 16,
        "ff02" + "00" * 13 + "01",
        "00" * 15 + "01",
        "00" * 10 + "ffff0a000102",
    ],
)
def test_an_address_nobody_can_have_is_passed_over(address: str) -> None:
    """Wildcard, broadcast, multicast, somebody else's loopback, and IPv4-mapped ones, which section 3.3.2.1.2
    forbids.
    """
    with listening() as lab:
        lab.ask(lab.init(addresses=[bytes.fromhex(address), lab.p.packed[0]]), tag=0)
        assert paths_after_setup(lab) == [lab.p.packed[0]]


def test_an_address_given_twice_is_one() -> None:
    with listening(paths=2) as lab:
        lab.ask(lab.init(addresses=[lab.p.packed[1], lab.p.packed[0], lab.p.packed[1]]), tag=0)
        assert len(paths_after_setup(lab)) == 2


def test_a_thousand_addresses_do_not_make_a_thousand_paths() -> None:
    with listening() as lab:
        lab.network.set(fragment=True)
        addresses = [bytes([10, 9, number >> 8, number & 255]) for number in range(1, 1001)]
        [answer] = lab.ask(lab.init(addresses=addresses), tag=0)
        assert answer.startswith("P: INIT ACK")
        assert len(paths_after_setup(lab)) <= 64


def test_what_the_listener_announces_is_in_the_init_ack_but_for_its_source() -> None:
    """Section 12.4: "SHOULD attempt to make the INIT ACK chunk as small as possible"; section 5.1.2 C: the receiver
    takes the source address from the packet.
    """
    with listening(paths=3) as lab:
        lab.ask(lab.init(), tag=0, source="10.0.2.2")
        assert lab.setup("INIT ACK").addresses == [lab.a.packed[0], lab.a.packed[2]]
    with listening(paths=1) as lab:
        lab.ask(lab.init(), tag=0)
        assert lab.setup("INIT ACK").addresses == []


def test_data_behind_the_cookie_echo_is_taken_and_acknowledged_at_once() -> None:
    """Section 5.1.5, 7: "Immediately acknowledge any DATA chunk bundled with the COOKIE ECHO chunk with a SACK chunk";
    6: "the COOKIE ACK chunk MUST be the first chunk in the SCTP packet".
    """
    with listening() as lab:
        lab.ask(lab.init(), tag=0)
        cookie = lab.cookie()
        [answer] = lab.ask(control.cookie_echo(cookie), lab.data(b"early"))
        assert answer.startswith("P: COOKIE ACK; SACK cum 7000 ")
        [association] = lab.endpoint.associations.values()
        assert [message[0] for message in association.read()] == [b"early"]


def test_a_cookie_echo_that_is_not_first_is_not_one() -> None:
    """Section 3.3.11: "This chunk MUST precede any DATA chunk"; a packet of nobody's is out of the blue."""
    with listening() as lab:
        lab.ask(lab.init(), tag=0)
        cookie = lab.cookie()
        assert lab.ask(lab.data(), control.cookie_echo(cookie)) == ["A: ABORT T"]
        assert lab.endpoint.associations == {}
