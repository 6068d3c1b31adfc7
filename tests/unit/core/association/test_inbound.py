"""Chunk by chunk: what still counts of a packet that ends its association."""

from __future__ import annotations

import pytest

from sctpx.core.association.state import CLOSED
from sctpx.wire import control
from tests.conformance.peer import Peer


@pytest.mark.parametrize("tsn", [1, 2])
def test_data_before_an_abort_is_not_acknowledged(tsn: int) -> None:
    """RFC 9260 section 9.1: the association is removed; no SACK is made that nobody will send."""
    peer = Peer()
    peer.deliver(peer.data(tsn), peer.data(tsn + 2), control.abort([]))
    assert peer.association.state == CLOSED
    assert peer.take() == []
    assert peer.association.stats.sacks_sent == 0
    assert peer.association.tcb.sack_chunks == []
