"""What the user can read: it is counted, the user is told of it once, and also of what will never be whole.

Whatever hands messages over notes how many were ready before, and calls ``count`` afterwards, also if it then aborts
the association: what is ready can be read after the end too, and ``transfer.source`` finds the address that a message
came from by its position among all that were counted.
"""

from __future__ import annotations

from ..events import PartialDeliveryAborted, Readable
from ..rx.streams import Broken
from .tcb import Tcb


def count(tcb: Tcb, ready: int) -> None:
    """Count what has been handed over since so many messages were ready."""
    tcb.stats.messages_received += len(tcb.reassembly.ready) - ready


def wake(tcb: Tcb) -> None:
    """If there is something to read, the user is told, once until everything was read."""
    if tcb.reassembly.ready and not tcb.readable_told:
        tcb.readable_told = True
        tcb.events.append(Readable(tcb.association))


def tell_broken(tcb: Tcb, broken: list[Broken], ready: int) -> None:
    """The rest of these messages will not come, when so many messages were ready.

    What was ready is handed over before the user is told, and what had to wait for their end comes behind.
    """
    for one in broken:
        tcb.events.append(PartialDeliveryAborted(tcb.association, one.stream, one.ssn, ready))


def break_off(tcb: Tcb) -> None:
    """Nothing more will come, whole or in parts (RFC 6458 section 6.1.7): what is there can be read."""
    ready = len(tcb.reassembly.ready)
    broken = tcb.reassembly.break_off()
    count(tcb, ready)
    tell_broken(tcb, broken, ready)
    wake(tcb)
