"""The driver of blocking sockets: queues that are full, destinations that cannot be reached, and its end."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from sctpx.blocking.driver import Driver
from sctpx.blocking.hub import hub
from sctpx.blocking.waiting import Line
from sctpx.core.association.association import Association, association_of
from sctpx.core.endpoint import PeerAddress
from sctpx.core.events import CannotStart, CommunicationLost, CommunicationUp, Event, SenderDry
from sctpx.core.outputs import Transmit
from sctpx.core.timers import NEVER
from sctpx.link import Received, UdpLink
from sctpx.link.patience import TRIES

HOST = bytes([127, 0, 0, 1])
PORT = 5000


class Failing:
    """A link that answers the first packets with these errors, and carries the others. ``steps`` says what it did."""

    def __init__(self, *errors: int) -> None:
        self._inner = UdpLink.open([HOST])
        self.errors = list(errors)
        self.port = self._inner.port
        self.addresses = self._inner.addresses
        self.sockets = self._inner.sockets
        self.receive_errors = self._inner.receive_errors
        self.add_address = self._inner.add_address
        self.remove_address = self._inner.remove_address
        self.open_port = self._inner.open_port
        self.close_port = self._inner.close_port
        self.socket_for = self._inner.socket_for
        self.max_packet = self._inner.max_packet
        self.close = self._inner.close
        self.steps: list[str] = []

    def receive(self, sock: Any, budget: int = 8) -> list[Received]:
        batches = self._inner.receive(sock, budget)
        self.steps.append(f"{'something' if batches else 'nothing'} of {budget}")
        return batches

    def send(self, transmit: Transmit) -> int:
        self.steps.append("sent")
        return self.errors.pop(0) if self.errors else self._inner.send(transmit)


class Port:
    """An SCTP port: remembers what happened on its associations."""

    def __init__(self, driver: Driver, port: int) -> None:
        self.driver = driver
        self.events: list[Event] = []
        self.interrupted = False
        self.line = Line()
        self.core = driver.stack.open_endpoint(port, [HOST])
        driver.ports.register(self.core.port, self)

    def adopt(self, association: Association) -> Port | None:
        return self

    def handle_event(self, now: int, event: Event) -> None:
        self.events.append(event)
        self.line.wake_all()
        if self.interrupted:
            self.interrupted = False
            raise KeyboardInterrupt

    def on_association_ended(self, now: int) -> None:
        pass

    def on_addresses_changed(self) -> None:
        pass

    def next_deadline(self) -> int:
        return NEVER

    def handle_timeout(self, now: int) -> None:
        raise AssertionError("it has no deadline")

    def shut_down(self, now: int) -> None:
        raise AssertionError("nobody exits here")

    def wait_for(self, kind: type[Event]) -> Any:
        """Wait for an event of this kind."""
        while True:
            for event in self.events:
                if isinstance(event, kind):
                    return event
            hub.wait(self.line)


@contextmanager
def meeting(*errors: int) -> Iterator[tuple[Port, Port, Failing]]:
    """A client that connects to a server through a link with these errors. Under the lock."""
    with hub.guard, hub.lock:
        link = Failing(*errors)
        drivers = [Driver(UdpLink.open([HOST])), Driver(link)]
        server, client = Port(drivers[0], PORT), Port(drivers[1], 0)
        try:
            server.core.listen()
            peer = PeerAddress(HOST, drivers[0].link.port)
            client.core.connect(drivers[1].now(), [peer], PORT).owner = client
            drivers[1].flush()
            yield server, client, link
        finally:
            for driver, port in zip(drivers, (server, client), strict=True):
                port.core.close(driver.now())
                driver.ports.release(port.core.port)
                driver.flush()


def test_a_packet_that_finds_a_full_queue_is_kept_and_sent_a_little_later() -> None:
    with meeting(errno.ENOBUFS, errno.EAGAIN, errno.ENOBUFS) as (server, client, link):
        assert client.events == []
        assert client.wait_for(CommunicationUp)
        assert server.wait_for(CommunicationUp).incoming
        assert link.errors == []


def test_an_init_that_the_interface_never_has_room_for_is_lost_and_sent_again() -> None:
    with meeting(*[errno.ENOBUFS] * TRIES) as (server, client, link):
        assert client.wait_for(CommunicationUp)
        assert server.wait_for(CommunicationUp).incoming
        assert link.errors == []
        assert client.driver.stack.stats.packets_refused == 1


def test_a_packet_that_cannot_be_sent_is_told_to_the_stack() -> None:
    with meeting(errno.EHOSTUNREACH) as (_, client, _):
        assert client.wait_for(CannotStart).error == errno.EHOSTUNREACH


def test_a_driver_closes_itself_and_its_link_with_its_last_port() -> None:
    with meeting() as (server, client, _):
        client.wait_for(CommunicationUp)
        drivers = [server.driver, client.driver]
        assert [(driver in hub.carriers, driver.closed) for driver in drivers] == [(True, False)] * 2
    assert [(driver in hub.carriers, driver.closed) for driver in drivers] == [(False, True)] * 2


def test_a_round_that_a_signal_handler_ends_is_gone_on_with() -> None:
    with meeting() as (server, client, _):
        client.wait_for(CommunicationUp)
        client.interrupted = True
        association_of(client.events[0]).abort(client.driver.now())
        with pytest.raises(KeyboardInterrupt):
            client.driver.flush()
        assert client.driver.next_deadline() == 0
        assert server.wait_for(CommunicationLost).by_peer
        assert client.driver.next_deadline() > 0


def test_a_packet_alone_is_answered_before_the_socket_is_asked_for_another() -> None:
    with meeting() as (_, client, link):
        client.wait_for(CommunicationUp)
        assert link.steps[:4] == ["sent", "something of 1", "sent", "nothing of 8"]


def test_what_else_is_there_is_taken_before_anybody_waits_and_a_crowd_at_once() -> None:
    with meeting() as (server, client, link):
        client.wait_for(CommunicationUp)
        association = server.wait_for(CommunicationUp).association

        def receive(packets: int) -> list[str]:
            server.events.clear()
            link.steps.clear()
            for _ in range(packets):
                association.send(server.driver.now(), b"data", immediate=True)
                server.driver.flush()
            server.wait_for(SenderDry)
            return [step for step in link.steps if step != "sent"]

        # The driver still has to look behind a packet of the handshake, and what it finds there counts as a crowd.
        assert receive(1) == ["something of 8"]
        assert receive(1) == ["something of 8"]
        assert receive(1) == ["something of 1", "nothing of 8"]
        assert receive(4) == ["something of 1", "something of 8"]
        assert receive(1) == ["something of 8"]
        assert receive(1) == ["something of 1", "nothing of 8"]


def test_association_ids_are_unique_in_the_process_and_none_has_a_meaning_of_its_own() -> None:
    seen = set[int]()
    for _ in range(2):
        with meeting() as (server, client, _):
            seen |= {port.wait_for(CommunicationUp).association.id for port in (server, client)}
    assert len(seen) == 4
    assert min(seen) > 2
