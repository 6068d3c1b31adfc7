"""Options of message interleaving and of stream schedulers (RFC 8260 section 4.3)."""

from __future__ import annotations

import errno
from typing import Final

from ...core.config import Scheduler
from .. import constants as c
from ..structs import AssocValue, StreamValue
from . import negotiated
from .association import reconfigured
from .scope import Scope
from .whole import Change

SCHEDULERS: Final[dict[int, Scheduler]] = {
    c.SCTP_SS_FCFS: "fcfs",
    c.SCTP_SS_PRIO: "prio",
    c.SCTP_SS_RR: "rr",
    c.SCTP_SS_FC: "fc",
    c.SCTP_SS_WFQ: "wfq",
    c.SCTP_SS_RR_PKT: "rr_pkt",
}
"""The schedulers by their numbers, as ``AssociationConfig.scheduler`` calls them."""
NUMBERS: Final = {name: number for number, name in SCHEDULERS.items()}
"""The numbers of the schedulers."""
# The level of SCTP_FRAGMENT_INTERLEAVE at which a program can tell the parts of different messages apart.
COMPLETE: Final = 2


def get_interleaving(scope: Scope, _: object) -> AssocValue:
    """Section 4.3.1: whether it was negotiated, or will be offered."""
    return negotiated.supported(scope, "interleaving", "interleaving")


def set_interleaving(scope: Scope, value: AssocValue) -> Change:
    """Section 4.3.1: "for future associations". "Some implementations might therefore put some restrictions" on it."""
    negotiated.check_future(scope, "interleaving")
    if value.assoc_value and scope.holder.settings.fragment_interleave < COMPLETE:
        raise OSError(errno.EINVAL, "interleaving needs SCTP_FRAGMENT_INTERLEAVE at level 2")
    return negotiated.offer(scope, "interleaving", value)


def get_scheduler(scope: Scope, _: object) -> AssocValue:
    """Section 4.3.2."""
    return AssocValue(assoc_id=scope.id, assoc_value=NUMBERS[scope.config.scheduler])


def set_scheduler(scope: Scope, value: AssocValue) -> Change:
    """Section 4.3.2. What waits to be sent is sent in the new scheduler's order."""
    name = SCHEDULERS.get(value.assoc_value)
    if name is None:
        raise OSError(errno.EINVAL, f"no scheduler has the number {value.assoc_value}")
    config = reconfigured(scope, scheduler=name)
    return lambda: scope.configure(config)


def get_stream_value(scope: Scope, asked: StreamValue) -> StreamValue:
    """Section 4.3.3: of the stream that is asked for."""
    _check_stream(scope, asked.stream_id)
    association = scope.association
    if association is None:
        value = dict(scope.config.stream_values).get(asked.stream_id, 0)
    else:
        value = association.stream_value(asked.stream_id)
    return StreamValue(assoc_id=scope.id, stream_id=asked.stream_id, stream_value=value)


def set_stream_value(scope: Scope, value: StreamValue) -> Change:
    """Section 4.3.3. The value is "ignored when the scheduler does not need additional information", and kept."""
    _check_stream(scope, value.stream_id)
    association = scope.association
    if association is not None:
        return lambda: association.set_stream_value(value.stream_id, value.stream_value)
    values = dict(scope.config.stream_values) | {value.stream_id: value.stream_value}
    config = reconfigured(scope, stream_values=tuple(values.items()))
    return lambda: scope.configure(config)


def _check_stream(scope: Scope, stream: int) -> None:
    if scope.association is not None and stream >= scope.association.outbound_streams:
        raise OSError(errno.EINVAL, f"no stream {stream}: the association has {scope.association.outbound_streams}")
