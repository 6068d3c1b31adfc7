"""What the user asks of extensions while the association lives: it is done at once, and what it asks for leaves."""

from __future__ import annotations

from errno import ENOTCONN, EOPNOTSUPP, EPIPE
from typing import Any

import pytest

from sctpx.core.events import KEY_FREE, KeyChange
from sctpx.wire.auth import AuthParameters
from sctpx.wire.codes import CHUNK_DATA, CHUNK_RE_CONFIG, PARAM_ADD_IP, PARAM_DELETE_IP
from tests.conformance.asconf import asked, changing, ours
from tests.conformance.peer import Peer
from tests.conformance.reconfig import reconfiguring
from tests.sim.scripted import Scripted

KEYS = ((1, b"one"), (2, b"two"))


def with_keys() -> Peer:
    """A stack whose peer demands that DATA is authenticated."""
    return Peer(authentication=True, auth=AuthParameters(bytes(32), bytes((CHUNK_DATA,)), b"\0\1"), shared_keys=KEYS)


def test_keys_are_set_used_and_deleted() -> None:
    """RFC 6458 sections 8.1.18 and 8.3.3 to 8.3.5."""
    peer = with_keys()
    verbs = peer.association
    verbs.set_key(peer.now, 3, b"three")
    verbs.activate_key(peer.now, 3)
    peer.send(10)
    [sent] = peer.take()
    assert peer.is_authentic(sent, peer.key(3, b"three"))
    verbs.delete_key(peer.now, 2)
    with pytest.raises(OSError, match="there is no shared key 2"):
        verbs.activate_key(peer.now, 2)


def test_that_a_key_is_free_is_told_without_waiting_for_anything_else() -> None:
    """RFC 6458 section 6.1.8."""
    peer = with_keys()
    peer.association.deactivate_key(peer.now, 2)
    peer.settle()
    assert [(event.indication, event.key_id) for event in peer.events_of(KeyChange)] == [(KEY_FREE, 2)]


@pytest.mark.parametrize(
    ("verb", "how"),
    [("reset_streams", {"outgoing": True}), ("reset_association", {}), ("add_streams", {"outgoing": 1})],
)
def test_streams_are_reset_and_added_while_the_association_is_up(verb: str, how: dict[str, Any]) -> None:
    """RFC 6525 section 5.1: and the request leaves at once."""
    peer = reconfiguring()
    getattr(peer.association, verb)(peer.now, **how)
    peer.settle()
    assert [packet.names for packet in peer.take()] == [["RE-CONFIG"]]
    plain = Peer()
    with pytest.raises(OSError, match="RFC 6525") as caught:
        getattr(plain.association, verb)(plain.now, **how)
    assert caught.value.errno == EOPNOTSUPP
    peer.shutdown()
    with pytest.raises(OSError, match="shutting down") as caught:
        getattr(peer.association, verb)(peer.now, **how)
    assert caught.value.errno == EPIPE


def test_before_the_association_is_up_there_is_nothing_to_reset() -> None:
    with Scripted() as lab:
        association = lab.connect()
        with pytest.raises(OSError, match="not up yet") as caught:
            association.reset_association(lab.a.now)
        assert caught.value.errno == ENOTCONN
        lab.ask(lab.init_ack(extensions=bytes((CHUNK_RE_CONFIG,))))
        with pytest.raises(OSError, match="not up yet") as caught:
            association.add_streams(lab.a.now, 1)
        assert caught.value.errno == ENOTCONN


LOOPBACK = bytes((127, 0, 0, 1))


@pytest.mark.parametrize(
    ("host", "changes"),
    [
        ([ours(1), ours(2)], []),
        ([ours(1), ours(2), ours(3), LOOPBACK], [(PARAM_ADD_IP, ours(3))]),
        ([ours(1)], [(PARAM_DELETE_IP, ours(2))]),
        ([ours(1), LOOPBACK], [(PARAM_DELETE_IP, ours(2))]),
        ([ours(3)], [(PARAM_ADD_IP, ours(3)), (PARAM_DELETE_IP, ours(1)), (PARAM_DELETE_IP, ours(2))]),
        ([LOOPBACK], []),
        ([], []),
    ],
)
def test_the_peer_is_told_how_the_addresses_of_the_host_have_changed(
    host: list[bytes], changes: list[tuple[int, bytes]]
) -> None:
    """RFC 5061 section 5.3. What means nothing to the peer is not told; without an address nothing is asked."""
    peer = changing(paths=2)
    peer.association.endpoint.scope = lambda own, remotes: [ip for ip in own if ip != LOOPBACK]
    peer.association.follow_addresses(peer.now, host)
    peer.settle()
    assert (asked(peer.take()) if changes else peer.take()) == changes


def test_an_association_that_is_over_follows_no_addresses() -> None:
    peer = changing()
    peer.association.abort(peer.now)
    peer.settle()
    peer.take()
    peer.association.follow_addresses(peer.now, [ours(2)])
    peer.settle()
    assert peer.take() == []
