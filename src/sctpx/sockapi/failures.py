"""How an association that failed, or never came about, reaches its user: the exception and its words."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Sequence
from typing import Final

from ..core.events import CommunicationLost
from ..errors import AssociationAborted, AssociationLost, AssociationRestarted, ConnectError, connect_error
from ..wire.codes import CAUSE_NAMES, CAUSE_PROTOCOL_VIOLATION, CAUSE_USER_ABORT
from . import events
from .status import AddressReport

_ADDRESSES_TOLD: Final = 8
_REASON_TOLD: Final = 200


def loss(event: CommunicationLost | events.CommunicationLost) -> AssociationAborted | AssociationLost:
    """The exception for an association that ended abruptly."""
    if event.restarted:
        return AssociationRestarted()
    if event.error == errno.ETIMEDOUT:
        return AssociationLost("the peer does not answer any more")
    by = "the peer" if event.by_peer else "this side"
    return AssociationAborted(f"the association was aborted by {by}{_told(event.causes)}", event.causes)


def connect_failure(error: int, report: Sequence[AddressReport]) -> ConnectError:
    """The exception for an association that could not be set up."""
    told = "; ".join(_account(address) for address in report[:_ADDRESSES_TOLD])
    if len(report) > _ADDRESSES_TOLD:
        told += f"; and {len(report) - _ADDRESSES_TOLD} more"
    return connect_error(error, f"{os.strerror(error)} ({told})" if told else os.strerror(error), report)


def _account(address: AddressReport) -> str:
    """One address of a report, in a few words."""
    where = f"{address.address} UDP port {address.udp_port}" if address.udp_port else address.address
    words = f"{where}: {address.answer}"
    if address.inits:
        words += f" to {address.inits} INIT{'s' if address.inits > 1 else ''}"
    if address.error:
        words += f", {os.strerror(address.error)}"
    return words + _told(address.causes)


def _told(causes: Iterable[tuple[int, bytes]]) -> str:
    """The error causes of an ABORT; what the peer wrote is shown as a literal, so that it is plain ASCII."""
    names = []
    for code, value in causes:
        name = CAUSE_NAMES.get(code, f"cause {code}")
        if code in (CAUSE_USER_ABORT, CAUSE_PROTOCOL_VIOLATION) and value:
            name += f" {value[:_REASON_TOLD].decode(errors='replace')!a}"
        names.append(name)
    return f" ({', '.join(names)})" if names else ""
