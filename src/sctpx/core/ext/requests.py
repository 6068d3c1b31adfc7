"""What ``own_requests`` and ``stream_reset`` keep of re-configuration requests, ours and the peer's (RFC 6525)."""

from __future__ import annotations

from errno import EINVAL, EMSGSIZE
from typing import Final, final

from ...wire.codes import (
    COMMON_HEADER,
    PARAM_ADD_INCOMING,
    PARAM_ADD_OUTGOING,
    PARAM_INCOMING_RESET,
    PARAM_OUTGOING_RESET,
    PARAM_TSN_RESET,
)
from ...wire.reconfig import Parameter, size_of_reset
from ..association.tcb import Tcb
from ..path.path import Path

MAX_STREAMS: Final = 65535
"""Streams in one direction."""


@final
class Request:
    """What we ask the peer for: one RE-CONFIG chunk with one or two requests."""

    __slots__ = (
        "added_inbound",
        "added_outbound",
        "answers",
        "chunk",
        "granted",
        "in_progress",
        "incoming",
        "interval",
        "open",
        "outgoing",
        "path",
        "repeated",
        "rested_to",
        "streams",
        "tsns",
    )

    def __init__(self) -> None:
        self.outgoing = False
        """Reset outgoing streams."""
        self.incoming = False
        """Reset incoming streams."""
        self.streams: list[int] = []
        """Which; none for all."""
        self.tsns = False
        """Reset SSNs and TSNs."""
        self.added_outbound = 0
        self.added_inbound = 0
        self.answers: Answer | None = None
        """The request of the peer that this one answers."""
        self.rested_to = -1
        """The last TSN from before the streams rested, once all of that was sent."""
        # Once it was sent:
        self.chunk = b""
        self.open: list[Parameter] = []
        """The requests that have no final response."""
        self.path: Path | None = None
        """Where it went last."""
        self.interval = 0
        """The time until it is sent again, ns."""
        self.in_progress = False
        """The peer has said so."""
        self.granted = False
        """The peer has added the streams that were asked for, which is no response yet."""
        self.repeated = False
        """It was sent more than once."""

    @property
    def rests(self) -> bool:
        """Whether it has streams rest."""
        return self.outgoing or self.tsns

    @property
    def waits_for_peer(self) -> bool:
        """Whether the peer has to ask us for something before this is done: then both could wait for each other."""
        return self.incoming or self.added_inbound > 0

    @property
    def kinds(self) -> list[int]:
        """The requests in it that have no response."""
        if self.chunk:
            return [one.kind for one in self.open]
        kinds = [PARAM_OUTGOING_RESET] if self.outgoing else []
        if self.incoming:
            kinds.append(PARAM_INCOMING_RESET)
        if self.tsns:
            kinds.append(PARAM_TSN_RESET)
        if self.added_outbound:
            kinds.append(PARAM_ADD_OUTGOING)
        if self.added_inbound:
            kinds.append(PARAM_ADD_INCOMING)
        return kinds

    def asks(self, kind: int, number: int) -> bool:
        """Whether it has an open request of that kind and number."""
        return any(one.kind == kind and one.number == number for one in self.open)


@final
class Answer:
    """What a request of the peer was answered."""

    __slots__ = ("next_tsns", "number", "request", "result")

    def __init__(self, number: int, result: int) -> None:
        self.number = number
        self.result = result
        self.next_tsns: tuple[int, int] | None = None
        self.request: Request | None = None
        """The request of ours that answers it, as long as that is not done."""


@final
class Pending:
    """A reset of the peer's outgoing streams that waits for data from before it (section 5.2.2 E2)."""

    __slots__ = ("answer", "last_tsn", "streams")

    def __init__(self, answer: Answer, last_tsn: int, streams: list[int]) -> None:
        self.answer = answer
        self.last_tsn = last_tsn
        self.streams = streams


def reset(tcb: Tcb, outgoing: bool, incoming: bool, streams: list[int]) -> Request:
    """A reset of these streams, or of all if none is named. OSError: EINVAL, EMSGSIZE."""
    if not outgoing and not incoming:
        raise OSError(EINVAL, "neither outgoing nor incoming streams are to be reset")
    chosen = list(dict.fromkeys(streams))
    limits = ([tcb.outbound_streams] if outgoing else []) + ([tcb.inbound_streams] if incoming else [])
    for stream in chosen:
        if not 0 <= stream < min(limits):
            raise OSError(EINVAL, f"no stream {stream}: the association has {min(limits)}, from 0")
    if size_of_reset(len(chosen), outgoing, incoming) > tcb.packet_limit - COMMON_HEADER:
        raise OSError(EMSGSIZE, f"{len(chosen)} streams do not fit into a packet: reset all, or fewer at a time")
    request = Request()
    request.outgoing = outgoing
    request.incoming = incoming
    request.streams = chosen
    return request


def addition(tcb: Tcb, outgoing: int, incoming: int) -> Request:
    """So many more streams. OSError: EINVAL."""
    if outgoing < 0 or incoming < 0 or not outgoing + incoming:
        raise OSError(EINVAL, f"{outgoing} outgoing and {incoming} incoming streams cannot be added")
    if tcb.outbound_streams + outgoing > MAX_STREAMS:
        raise OSError(EINVAL, f"{tcb.outbound_streams + outgoing} outgoing streams, the limit is {MAX_STREAMS}")
    limit = tcb.rules.max_inbound_streams
    if incoming and tcb.inbound_streams + incoming > limit:
        raise OSError(EINVAL, f"{tcb.inbound_streams + incoming} incoming streams, the limit is {limit}")
    request = Request()
    request.added_outbound = outgoing
    request.added_inbound = incoming
    return request


def covers(streams: list[int], others: list[int]) -> bool:
    """Whether a reset of ``streams`` resets ``others`` too. None means all."""
    return not streams or (len(others) > 0 and set(others) <= set(streams))
