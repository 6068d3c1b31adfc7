"""What can be read is counted, and told once."""

from __future__ import annotations

from dataclasses import replace

from sctpx.core.association.state import CLOSED
from sctpx.core.events import PartialDeliveryAborted, Readable
from sctpx.wire import control
from sctpx.wire.codes import DATA_BEGIN
from tests.conformance.peer import Peer


def kinds(peer: Peer) -> list[str]:
    """The events so far of what can be read, or never can."""
    return [type(event).__name__ for event in peer.events if isinstance(event, (Readable, PartialDeliveryAborted))]


def test_the_user_is_told_once_until_everything_was_read() -> None:
    peer = Peer()
    peer.deliver(control.heartbeat(b"1234"))
    assert kinds(peer) == []
    peer.deliver(peer.data(1))
    peer.deliver(peer.data(2))
    assert kinds(peer) == ["Readable"]
    peer.read(1)
    peer.deliver(peer.data(3))
    assert kinds(peer) == ["Readable"]
    peer.read()
    assert kinds(peer) == ["Readable"]
    peer.deliver(peer.data(4))
    assert kinds(peer) == ["Readable", "Readable"]
    assert peer.association.stats.messages_received == 4


def test_what_a_smaller_buffer_hands_over_in_parts_is_counted_and_told() -> None:
    """Messages are handed over in parts from the Partial Delivery Point on (RFC 6458 section 8.1.21)."""
    peer = Peer()
    peer.deliver(peer.data(1, 1000, flags=DATA_BEGIN))
    assert kinds(peer) == []
    peer.association.reconfigure(peer.now, replace(peer.association.config, partial_delivery_point=500))
    peer.settle()
    assert kinds(peer) == ["Readable"]
    assert peer.association.stats.messages_received == 1
    assert [len(part) for part in peer.read()] == [1000]


def test_what_waited_behind_parts_of_a_message_is_counted_and_told_at_the_end() -> None:
    """RFC 6458 section 6.1.7: the user learns that the rest of the message never comes, and reads what is behind it."""
    peer = Peer(partial_delivery_point=500)
    peer.deliver(peer.data(1, 1000, flags=DATA_BEGIN, ssn=0))
    assert [len(part) for part in peer.read()] == [1000]
    peer.deliver(peer.data(2, 10, flags=0, ssn=0))
    peer.deliver(peer.data(4, b"behind", stream=1, ssn=0))
    assert kinds(peer) == ["Readable"]
    peer.deliver(control.abort([]))
    assert peer.association.state == CLOSED
    assert kinds(peer) == ["Readable", "PartialDeliveryAborted", "Readable"]
    [broken] = peer.events_of(PartialDeliveryAborted)
    assert (broken.stream, broken.ssn, broken.readable) == (0, 0, 0)
    messages = peer.association.read()
    assert messages[-1][0] == b"behind"
    assert peer.association.stats.messages_received == 1 + len(messages)


def test_what_was_not_read_is_not_counted_again_at_the_end() -> None:
    peer = Peer(partial_delivery_point=500)
    for tsn in (1, 2):
        peer.deliver(peer.data(tsn))
    peer.deliver(peer.data(3, 1000, flags=DATA_BEGIN, ssn=2))
    peer.deliver(peer.data(5, b"behind", stream=1, ssn=0))
    peer.deliver(control.abort([]))
    messages = peer.association.read()
    assert [len(message[0]) for message in messages] == [100, 100, 1000, 6]
    assert peer.association.stats.messages_received == 4
