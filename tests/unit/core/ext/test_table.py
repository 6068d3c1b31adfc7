"""Which extensions an association has from the beginning."""

from __future__ import annotations

from sctpx.core import extension
from sctpx.core.capabilities import ECN
from sctpx.core.ext import table
from sctpx.core.ext.auth import KeyWatch
from sctpx.core.ext.ecn import Ecn
from tests.conformance.peer import Peer


def test_ecn_is_there_if_it_was_agreed_on() -> None:
    """RFC 4960 appendix A."""
    tcb = Peer().association.tcb
    for agreed in (ECN, 0):
        tcb.capabilities = agreed
        table.furnish(tcb)
        assert (extension.find(tcb.extensions, Ecn) is not None) is (agreed == ECN)


def test_a_key_that_was_deactivated_before_is_watched() -> None:
    """RFC 6458 section 6.1.8: when no message has it any more, that is told. A restart may come in between."""
    tcb = Peer(authentication=True, shared_keys=((1, b"one"), (2, b"two"))).association.tcb
    assert tcb.keys is not None
    for deactivated in ([], [2]):
        tcb.keys.deactivated = deactivated
        table.furnish(tcb)
        assert (extension.find(tcb.extensions, KeyWatch) is not None) is bool(deactivated)
