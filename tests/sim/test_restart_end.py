"""``on_restart="end"``: the peer's restart ends the association, and begins another one (RFC 9260 section 5.2.4 A).

"The existing session is treated the same as if it received an ABORT chunk followed by a new COOKIE ECHO chunk".
"""

from __future__ import annotations

import errno

import pytest

from sctpx.core.association.association import Association, association_of
from sctpx.core.association.state import ESTABLISHED, SHUTDOWN_ACK_SENT
from sctpx.core.config import AssociationConfig
from sctpx.core.events import (
    CannotStart,
    CommunicationLost,
    CommunicationUp,
    PartialDeliveryAborted,
    Restarted,
)
from sctpx.testing import LinkSettings, Pair
from sctpx.wire import control
from sctpx.wire.codes import CAUSE_OUT_OF_RESOURCE
from tests.sim.scripted import Scripted
from tests.sim.test_restart import Reborn, check_data_both_ways

END = AssociationConfig(on_restart="end")
NEW_TAG = 0x4E455721


def newest(pair: Pair) -> Association:
    """The association that came up last at B."""
    return association_of(pair.b.events_of(CommunicationUp)[-1])


@pytest.mark.parametrize("paths", [1, 3])
def test_the_old_one_ends_and_the_new_one_arrives_as_any_other(paths: int) -> None:
    with Pair(1, paths=paths, b_config=END).connect() as pair:
        old = pair.b.association
        Reborn(pair).connect()
        pair.network.run(lambda: len(pair.b.events_of(CommunicationUp)) == 2)
        new = newest(pair)
        [lost] = pair.b.events_of(CommunicationLost)
        assert (lost.association, lost.error, lost.by_peer, lost.restarted) == (old, errno.ECONNRESET, True, True)
        assert pair.b.host.events.index(lost) < pair.b.host.events.index(pair.b.events_of(CommunicationUp)[-1])
        assert (old.ended, new.ended, new.incoming) == (True, False, True)
        assert new.id != old.id
        assert pair.b.endpoint.associations == {new.id: new}
        assert pair.b.events_of(Restarted) == []
        assert new.id in pair.b.endpoint.unaccepted


def test_the_new_one_carries_data_both_ways() -> None:
    with Pair(1, b_config=END).connect() as pair:
        reborn = Reborn(pair)
        association = reborn.connect()
        association.send(pair.a.host.now, b"from the new A")
        pair.network.run(lambda: newest(pair).readable)
        newest(pair).send(pair.b.host.now, b"to the new A")
        pair.network.run(lambda: association.readable)
        assert [message[0] for message in (*newest(pair).read(), *association.read())] == [
            b"from the new A",
            b"to the new A",
        ]


def test_what_had_arrived_can_be_read_and_what_had_not_left_is_reported() -> None:
    with Pair(1, b_config=END).connect() as pair:
        old = pair.b.association
        pair.b.reading = False
        pair.a.send(b"arrived")
        pair.drain()
        pair.a.host.crash()
        pair.b.send(b"not acknowledged")
        pair.network.run_for(0.1)
        Reborn(pair).connect()
        pair.network.run(lambda: old.ended)
        assert [message[0] for message in old.read()] == [b"arrived"]
        assert [data for data, *_ in old.undelivered()] == [b"not acknowledged"]
        pair.network.run_for(30)
        assert newest(pair).undelivered() == []
        assert newest(pair).stats.messages_sent == 0


def test_a_message_that_was_read_in_parts_is_broken_off() -> None:
    with Pair(1, b_config=AssociationConfig(on_restart="end", partial_delivery_point=5000)).connect() as pair:
        pair.network.set(rate=1e6)
        pair.a.send(bytes(100_000))
        pair.network.run(lambda: pair.b.received)
        Reborn(pair).connect()
        pair.network.run(lambda: pair.b.association.ended)
        assert [type(event) for event in pair.b.host.events if not isinstance(event, CommunicationUp)][-2:] == [
            PartialDeliveryAborted,
            CommunicationLost,
        ]


def test_an_endpoint_that_does_not_listen_ends_it_and_refuses_the_new_one() -> None:
    """A client has nobody who would accept."""
    with Pair(1, config=END).connect() as pair:
        pair.a.endpoint.listen()
        pair.a.endpoint.stop_listening()
        pair.b.host.crash()
        pair.b.host.events.clear()
        pair.b.host.restart()
        endpoint = pair.b.host.open_endpoint(5000)
        endpoint.connect(pair.b.host.now, pair.a.host.peer_addresses, 5000)
        pair.network.run(lambda: pair.b.events_of(CannotStart))
        [lost], [refused] = pair.a.events_of(CommunicationLost), pair.b.events_of(CannotStart)
        assert (lost.restarted, lost.error) == (True, errno.ECONNRESET)
        assert (refused.error, refused.causes) == (errno.ECONNREFUSED, [])
        assert pair.a.endpoint.associations == {}


def test_with_a_full_backlog_the_old_one_ends_and_the_new_one_is_turned_away() -> None:
    with Pair(1, b_config=END).connect() as pair:
        pair.b.endpoint.accept(pair.b.association)
        pair.b.endpoint.listen(1)
        other = pair.a.host.open_endpoint()
        other.connect(pair.a.host.now, pair.b.host.peer_addresses, 5000)
        pair.network.run(lambda: pair.b.endpoint.full)
        reborn = Reborn(pair)
        reborn.endpoint.connect(pair.a.host.now, pair.b.host.peer_addresses, 5000)
        pair.network.run(lambda: pair.a.events_of(CannotStart))
        assert pair.b.association.ended
        assert [code for code, _ in pair.a.events_of(CannotStart)[0].causes] == [CAUSE_OUT_OF_RESOURCE]


def test_one_that_nobody_accepted_makes_room_for_the_new_one() -> None:
    with Scripted(config=END) as lab:
        lab.endpoint.listen(1)
        old = lab.up_incoming()
        assert lab.endpoint.full
        lab.ask(lab.init(initiate_tag=NEW_TAG), tag=0)
        lab.ask(control.cookie_echo(lab.cookie()))
        [new] = lab.endpoint.associations.values()
        assert new is not old
        assert list(lab.endpoint.unaccepted) == [new.id]


def test_a_shutdown_that_was_under_way_is_over_with_the_old_one() -> None:
    with Pair(1, b_config=END).connect() as pair:
        pair.a.host.crash()
        pair.b.send(b"not acknowledged")
        pair.b.association.shutdown(pair.b.host.now)
        pair.network.run_for(0.1)
        association = Reborn(pair).connect()
        pair.network.run_for(5)
        assert pair.b.events_of(CommunicationLost)[0].restarted
        assert (association.state, newest(pair).state) == (ESTABLISHED, ESTABLISHED)


def test_after_its_shutdown_ack_it_stays_and_nothing_is_set_up() -> None:
    """Section 5.2.4: "it MUST NOT set up a new association but instead resend the SHUTDOWN ACK chunk"."""
    with Scripted(config=END) as lab:
        association = lab.up_outgoing()
        lab.ask(lab.init(initiate_tag=NEW_TAG), tag=0)
        new_tag = lab.setup("INIT ACK").initiate_tag
        lab.a_tag = lab.setup("INIT").initiate_tag
        lab.ask(control.shutdown(lab.setup("INIT").initial_tsn - 1))
        assert association.state == SHUTDOWN_ACK_SENT
        heard = lab.ask(control.cookie_echo(lab.cookie()), tag=new_tag)
        assert heard == ["P: SHUTDOWN ACK; ERROR Cookie Received While Shutting Down"]
        assert lab.endpoint.associations == {association.id: association}


def test_the_new_one_is_told_and_has_the_parameters_of_the_port() -> None:
    """Not those of the old one: it is no relation."""
    with Scripted(config=AssociationConfig(on_restart="end", max_inbound_streams=3, receive_buffer=5000)) as lab:
        old = lab.up_incoming()
        old.reconfigure(lab.a.now, AssociationConfig(on_restart="end", max_inbound_streams=7, receive_buffer=9000))
        lab.ask(lab.init(initiate_tag=NEW_TAG), tag=0)
        told = lab.setup("INIT ACK")
        assert (told.inbound_streams, told.a_rwnd) == (3, 5000)
        lab.p_tag = NEW_TAG
        assert lab.ask(control.cookie_echo(lab.cookie())) == ["P: COOKIE ACK"]
        [new] = lab.endpoint.associations.values()
        assert (new.inbound_streams, new.local_rwnd) == (3, 5000)


def test_what_is_bundled_with_the_cookie_echo_is_of_the_new_one() -> None:
    with Scripted(config=END) as lab:
        old = lab.up_incoming()
        lab.p_tsn = 500
        lab.ask(lab.init(initiate_tag=NEW_TAG, initial_tsn=500), tag=0)
        lab.ask(control.cookie_echo(lab.cookie()), lab.data(b"first"))
        [new] = lab.endpoint.associations.values()
        assert (old.read(), [message[0] for message in new.read()]) == ([], [b"first"])


@pytest.mark.parametrize("seed", range(8))
def test_any_number_of_restarts_gives_as_many_associations(seed: int) -> None:
    with Pair(seed, paths=2, link=LinkSettings(loss=0.1), b_config=END).connect() as pair:
        for count in range(1, 6):
            reborn = Reborn(pair)
            association = reborn.connect(300)
            pair.network.run(lambda count=count: len(pair.b.events_of(CommunicationUp)) > count, 300)  # type: ignore[misc]
            association.send(pair.a.host.now, b"%d" % count)
            pair.network.run(lambda: newest(pair).readable, 300)
            assert [message[0] for message in newest(pair).read()] == [b"%d" % count]
            assert list(pair.b.endpoint.associations.values()) == [newest(pair)]
        assert [lost.restarted for lost in pair.b.events_of(CommunicationLost)] == [True] * 5


def test_by_default_it_goes_on() -> None:
    with Pair(1).connect() as pair:
        association = Reborn(pair).connect()
        check_data_both_ways(pair, association)
        assert len(pair.b.events_of(Restarted)) == 1
        assert pair.b.events_of(CommunicationLost) == []
