"""A peer that lists the address of somebody else does not keep that one out (RFC 5062 section 2).

M is the malicious peer: it really is at one address, and lists another one beside it, with the SCTP port that the
victim will use. The victim connects from there afterwards.
"""

from __future__ import annotations

from functools import partial

import pytest

from sctpx.core.association.association import Association, association_of
from sctpx.core.events import CommunicationUp, PathChange, Restarted
from sctpx.testing import Host, pack_address
from sctpx.wire import control
from sctpx.wire.packet import prefix
from sctpx.wire.seal import finish_packet
from tests.sim.scripted import PORT, UDP_PORT, Scripted
from tests.sim.steps import only_interpreted, steps_of

VICTIM = ["10.0.9.9", "10.0.9.10"]


def connect(lab: Scripted, addresses: list[str]) -> tuple[Host, Association]:
    """The victim has these addresses, and its association is up."""
    victim = lab.network.add_host("victim", addresses)
    association = victim.open_endpoint(PORT).connect(victim.now, lab.a.peer_addresses, PORT)
    lab.network.run(lambda: victim.events, 30)
    assert [type(event) for event in victim.events] == [CommunicationUp]
    return victim, association


def told(lab: Scripted) -> list[type]:
    """The events at A, without those about paths."""
    return [type(event) for event in lab.a.events if not isinstance(event, PathChange)]


@pytest.mark.parametrize("addresses", [VICTIM[:1], VICTIM], ids=["one address", "two addresses"])
def test_the_victim_has_an_association_of_its_own(addresses: list[str]) -> None:
    """The INIT of the victim is no restart: the victim does not get the association of M, nor an ABORT."""
    with Scripted() as lab:
        of_m = lab.up_incoming(addresses=[lab.p.packed[0], pack_address(VICTIM[0])])
        _, association = connect(lab, addresses)
        assert told(lab) == [CommunicationUp] * 2
        assert not of_m.ended
        of_victim = association_of(lab.events_of(CommunicationUp)[1])
        association.send(lab.network.clock.now, b"from the victim")
        lab.network.run_for(1)
        assert [message[0] for message in of_victim.read()] == [b"from the victim"]
        assert of_m.readable == 0


def test_nor_does_an_old_cookie_that_names_the_victim_get_its_association() -> None:
    """M has asked for the cookie before the victim came, and M has another UDP port."""
    with Scripted(udp_port=40_000) as lab:
        lab.endpoint.listen()
        lab.ask(lab.init(addresses=[lab.p.packed[0], pack_address(VICTIM[0])]), tag=0)
        cookie = lab.cookie()
        victim, association = connect(lab, VICTIM[:1])
        assert victim.udp_port == UDP_PORT
        for _ in range(5):
            lab.ask(control.cookie_echo(cookie), seconds=2)
        assert not association.ended
        association.shutdown(lab.network.clock.now)
        lab.network.run_for(1)
        assert association.ended
        victim.events.clear()
        victim.stack.endpoints[PORT].connect(victim.now, lab.a.peer_addresses, PORT)
        lab.network.run(lambda: victim.events, 30)
        assert [type(event) for event in victim.events] == [CommunicationUp]
        assert Restarted not in told(lab)


@only_interpreted
def test_however_many_list_an_address_an_init_from_there_costs_no_more() -> None:
    costs: list[int] = []
    with Scripted() as lab:
        lab.endpoint.listen(1000)
        for number in range(60):
            own = f"10.0.2.{number + 1}"
            m = lab.network.add_host(f"M{number}", [own])
            endpoint = m.stack.open_endpoint(PORT, m.packed, announce=[pack_address(own), pack_address(VICTIM[0])])
            endpoint.connect(m.now, lab.a.peer_addresses, PORT)
            lab.network.run_for(0.1)
            costs.append(steps_of(partial(receive_init, lab)))
        assert told(lab) == [CommunicationUp] * 60
    assert costs[20:] == [costs[20]] * 40


def receive_init(lab: Scripted) -> None:
    """An INIT comes to A from the victim's address."""
    packet = finish_packet(prefix(PORT, PORT, 0), lab.init())
    source = pack_address(VICTIM[0])
    lab.a.stack.receive(lab.network.clock.now, lab.a.packed[0], source, UDP_PORT, packet, len(packet))


def test_an_address_that_is_the_peers_counts_with_one_that_is_not_confirmed_yet() -> None:
    """The peer restarts and asks from its second address, of which it has not answered a HEARTBEAT: it is a restart."""
    with Scripted(paths=2) as lab:
        association = lab.up_incoming(addresses=list(lab.p.packed))
        assert [path.confirmed for path in association.paths] == [True, False]
        lab.p_tag = 0x12121212
        second = lab.p.addresses[1]
        lab.ask(lab.init(addresses=list(lab.p.packed)), tag=0, source=second)
        lab.ask(control.cookie_echo(lab.cookie()), source=second)
        assert told(lab) == [CommunicationUp, Restarted]
