"""How an association that failed, or never came about, reaches its user: the exception and its words."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Sequence
from typing import Final

from ..core.association.association import Association
from ..core.association.connect import (
    ANSWER_ABORT,
    ANSWER_ICMP,
    ANSWER_NAMES,
    ANSWER_NOT_ASKED,
    ANSWER_SEND_ERROR,
    ANSWER_SILENCE,
)
from ..core.association.state import COOKIE_ECHOED, COOKIE_WAIT
from ..core.events import CommunicationLost
from ..core.ip import LOOPBACK, lacks_zone, scope_of
from ..errors import AssociationAborted, AssociationLost, AssociationRestarted, ConnectError, connect_error
from ..wire.codes import CAUSE_NAMES, CAUSE_OUT_OF_RESOURCE, CAUSE_PROTOCOL_VIOLATION, CAUSE_USER_ABORT
from . import events
from .addresses import ip_text, parse_ip
from .status import UNRESOLVED, AddressReport

_ADDRESSES_TOLD: Final = 8
_REASON_TOLD: Final = 200
_ABORT: Final = ANSWER_NAMES[ANSWER_ABORT]
_ICMP: Final = ANSWER_NAMES[ANSWER_ICMP]
_SILENCE: Final = ANSWER_NAMES[ANSWER_SILENCE]
_NOTHING_BUT_SILENCE: Final = ({_SILENCE}, {_SILENCE, ANSWER_NAMES[ANSWER_NOT_ASKED]})
_NOT_SENT: Final = (ANSWER_NAMES[ANSWER_SEND_ERROR], _SILENCE)
_ASSOCIATED: Final = (errno.EISCONN, errno.EALREADY)
_WHY_NOBODY_ANSWERS: Final = "no such host, a firewall, or a peer that does not speak SCTP over UDP (RFC 6951) there"
_WHY_NOBODY_ANSWERS_NATIVELY: Final = "no such host, or a firewall"


def loss(event: CommunicationLost | events.CommunicationLost) -> AssociationAborted | AssociationLost:
    """The exception for an association that ended abruptly."""
    if event.restarted:
        return AssociationRestarted()
    if event.error == errno.ETIMEDOUT:
        return AssociationLost("the peer does not answer any more")
    by = "the peer" if event.by_peer else "this side"
    return AssociationAborted(f"the association was aborted by {by}{_told(event.causes)}", event.causes)


# --- an association that does not come about ---


def connect_failure(
    error: int, report: Sequence[AddressReport], association: Association | None = None
) -> ConnectError:
    """The exception for an association that could not be set up; ``association`` is that one, if it was begun."""
    rival = None if association is None or error not in _ASSOCIATED else _find_rival(association)
    if rival is not None:
        return connect_error(error, taken(*rival), report)
    by_udp = {address.address for address in report if address.udp_port}
    told = "; ".join(_account(address, address.address in by_udp) for address in report[:_ADDRESSES_TOLD])
    if len(report) > _ADDRESSES_TOLD:
        told += f"; and {len(report) - _ADDRESSES_TOLD} more"
    text = f"{os.strerror(error)} ({told})" if told else os.strerror(error)
    if {address.answer for address in report} in _NOTHING_BUT_SILENCE and not any(map(_meaning, report)):
        over_udp = all(address.udp_port for address in report)
        text += f": {_WHY_NOBODY_ANSWERS if over_udp else _WHY_NOBODY_ANSWERS_NATIVELY}"
    return connect_error(error, text, report)


def _find_rival(association: Association) -> tuple[Association, bytes] | None:
    """The association that an address of this one's peer belongs to, and the address."""
    endpoint = association.endpoint
    for candidate in association.report:
        other = association.keeper.find_association(candidate.ip, association.peer_port, endpoint.port)
        if isinstance(other, Association) and other is not association:
            return other, candidate.ip
    return None


def taken(association: Association, ip: bytes, owner: str = "") -> str:
    """Why nothing can be begun with an address of a peer: there is an association already, which ``owner`` has.

    Between two SCTP ports, two hosts have one association (RFC 9260 section 1.3).
    """
    known = [path.remote for path in association.paths] or [candidate.ip for candidate in association.report]
    peers = ", ".join(map(ip_text, dict.fromkeys(known)))
    starting = association.state in (COOKIE_WAIT, COOKIE_ECHOED)
    return (
        f"{ip_text(ip)} port {association.peer_port} is the peer of association {association.id} (with {peers}), "
        f"which {owner or f'our SCTP port {association.endpoint.port}'} {'is setting up' if starting else 'has'} "
        f"already: {'wait for' if starting else 'use'} that one, end it first, or connect from another SCTP port"
    )


def _account(address: AddressReport, by_udp_too: bool) -> str:
    """One address of a report, in a few words; how it was asked, where that is not the same everywhere."""
    where = address.address
    if address.udp_port:
        where += f" UDP port {address.udp_port}"
    elif by_udp_too and address.answer != UNRESOLVED:
        where += " native"
    words = f"{where}: {address.answer}"
    if address.inits:
        words += f" to {address.inits} INIT{'s' if address.inits > 1 else ''}"
    meaning = _meaning(address)
    return f"{words}, {meaning}" if meaning else words


def _meaning(address: AddressReport) -> str:
    """What an answer means for people who do not know the protocol; ``""`` if it says all there is to say."""
    what_is_wrong = _why_unreachable(address)
    if address.answer in _NOT_SENT and what_is_wrong:
        return what_is_wrong
    words = (os.strerror(address.error) if address.error else "") + _told(address.causes)
    if address.answer == _ABORT and not address.causes:
        words += ": there is SCTP, but nobody listens at that SCTP port"
    elif address.answer == _ABORT and [code for code, _ in address.causes] == [CAUSE_OUT_OF_RESOURCE]:
        words += ": the peer takes no more associations now, as with a full backlog"
    elif address.answer == _ICMP and address.error == errno.ECONNREFUSED and address.udp_port:
        words += ": no program receives at that UDP port"
    return words


def _why_unreachable(address: AddressReport) -> str:
    """What is wrong with the addresses themselves; ``""`` if nothing is."""
    ip = _packed(address.address)
    source = _packed(address.source)
    zone = address.address.partition("%")[2]
    if source and scope_of(source) == LOOPBACK and ip and scope_of(ip) != LOOPBACK:
        return f"{address.source} is a loopback address, which reaches nobody but this host: send from another address"
    if ip and lacks_zone(ip):
        if not zone:
            return f"a link-local address is incomplete without its link: {address.address}%eth0, if it is on eth0"
        if zone.isdecimal():
            return f"this host has no interface {zone}"
        if address.error == errno.ENETUNREACH:
            return f"no local address is on the link {zone}"
    if address.error == errno.EINVAL and not address.udp_port:
        return "UDP port 0 stands for SCTP without UDP, which cannot be sent here"
    if address.error == errno.EAFNOSUPPORT:
        return "no local address is of its family"
    return ""


def _packed(text: str) -> bytes:
    """An address of a report, without its zone; ``b""`` for none, or a name."""
    return parse_ip(text.partition("%")[0]) or b""


def _told(causes: Iterable[tuple[int, bytes]]) -> str:
    """The error causes of an ABORT; what the peer wrote is shown as a literal, so that it is plain ASCII."""
    names = []
    for code, value in causes:
        name = CAUSE_NAMES.get(code, f"cause {code}")
        if code in (CAUSE_USER_ABORT, CAUSE_PROTOCOL_VIOLATION) and value:
            name += f" {value[:_REASON_TOLD].decode(errors='replace')!a}"
        names.append(name)
    return f" ({', '.join(names)})" if names else ""
