"""Answering an INIT without keeping anything: the INIT ACK and its State Cookie, or the ABORT that refuses it.

RFC 9260 sections 3.3.2, 5.1 B, 5.1.2 and 5.1.3. Used where there is no association (``stack``) and where
there is one already (``association.restart``), which only differ in the tags and numbers they give.
"""

from __future__ import annotations

from typing import Final

from ..wire import causes
from ..wire.causes import Cause
from ..wire.codes import COMMON_HEADER, PARAM_HOST_NAME
from ..wire.params import IPV4_MAPPED, is_unicast
from ..wire.serial import TSN_MASK
from ..wire.setup import MINIMUM_RWND, Setup
from ..wire.tlv import item
from . import authentication, capabilities
from .config import AssociationConfig
from .ip import LOOPBACK, can_reach, scope_of, without_zone
from .path.path import largest_packet
from .state_cookie import MAX_EXTENSION_MS, Cookie, CookieJar
from .timers import MILLISECOND

# Reports may take so many bytes more than what they report: the headers of a few.
REPORT_HEADERS: Final = 32
# A host name has 255 bytes at most (RFC 1035 section 2.3.4), and perhaps a zero behind it.
MAX_HOST_NAME: Final = 256


def refusal(setup: Setup) -> Cause | None:
    """Why an INIT with a tag cannot be accepted; None if it can."""
    if setup.a_rwnd < MINIMUM_RWND or setup.outbound_streams == 0 or setup.inbound_streams == 0:
        return causes.invalid_parameter()
    return named_host(setup)


def named_host(setup: Setup) -> Cause | None:
    """What to answer an INIT or INIT ACK that names a host instead of addresses (section 5.1.2 B)."""
    if setup.host_name is None:
        return None
    if len(setup.host_name) > MAX_HOST_NAME:
        return causes.invalid_parameter()  # Quoted, it could be 64 KiB.
    return causes.unresolvable_address(item(PARAM_HOST_NAME, setup.host_name))


def told(setup: Setup, local: bytes, remote: bytes, announce: list[bytes]) -> list[bytes]:
    """Which of our addresses an INIT ACK to a stranger has to list: it is to be small (section 12.4).

    Not the one it is sent from, which the receiver takes from the packet (section 5.1.2 C); and none of a family that
    the peer does not speak, as far as the INIT tells (section 5.1.2).
    """
    spoken = setup.families and [*setup.families, len(without_zone(remote))]
    return [ip for ip in announce if ip != local and (not spoken or len(without_zone(ip)) in spoken)]


def peer_addresses(source: bytes, listed: list[bytes], locals_: list[bytes], most: int) -> list[bytes]:
    """The peer's addresses by section 5.1.2: the source of the packet and those it lists, each once, ``most`` in all.

    Addresses that no host can have are passed over, and so are IPv4-mapped ones, which must not be sent
    (section 3.3.2.1.2), the loopback address of somebody else, and those that none of ``locals_``, our own addresses,
    can reach: "The other addresses MAY be ignored". Without own addresses any can be sent to.
    """
    found = [source]
    here = scope_of(source) == LOOPBACK
    for ip in listed:
        if len(found) == most:
            break
        reachable = (not locals_ or any(can_reach(own, ip) for own in locals_)) and (here or scope_of(ip) != LOOPBACK)
        if reachable and ip not in found and is_unicast(ip) and ip[: len(IPV4_MAPPED)] != IPV4_MAPPED:
            found.append(ip)
    return found


def passed_over(listed: list[bytes], kept: list[bytes], most: int) -> int:
    """How many addresses ``peer_addresses`` did not even look at, once it had ``most``."""
    return len(set(listed).difference(kept)) if len(kept) == most else 0


def make_cookie(
    setup: Setup,
    config: AssociationConfig,
    now: int,
    local: bytes,
    source: bytes,
    udp_port: int,
    locals_: list[bytes],
    most: int,
) -> Cookie:
    """A cookie with the peer's side of the association filled in, and ``most`` of its addresses."""
    rules = config.rules
    cookie = Cookie()
    cookie.created = now
    cookie.lifespan = rules.cookie_life + min(setup.cookie_preservative, MAX_EXTENSION_MS) * MILLISECOND
    cookie.peer_tag = setup.initiate_tag
    cookie.peer_initial_tsn = setup.initial_tsn
    cookie.peer_a_rwnd = setup.a_rwnd
    cookie.peer_outbound_streams = setup.outbound_streams
    cookie.peer_inbound_streams = setup.inbound_streams
    cookie.local = local
    cookie.source = source
    cookie.udp_port = udp_port
    cookie.addresses = peer_addresses(source, setup.addresses, locals_, most)
    cookie.capabilities = capabilities.agreed(rules.capabilities, setup, rules.error_detection_method)
    cookie.adaptation = setup.adaptation
    if setup.primary in cookie.addresses:
        cookie.primary = cookie.addresses.index(setup.primary)
    if cookie.capabilities & capabilities.AUTHENTICATION:
        cookie.peer_auth = setup.auth
        cookie.local_auth = authentication.our_parameters(config, None)
    return cookie


def init_ack(
    setup: Setup, cookie: Cookie, jar: CookieJar, config: AssociationConfig, now: int, announce: list[bytes]
) -> bytes:
    """The INIT ACK chunk for an INIT; our side of it is in the cookie."""
    rules = config.rules
    ack = Setup(
        cookie.local_tag,
        rules.receive_buffer,
        # "the value MUST NOT be greater than the MIS value sent in the INIT chunk" (section 3.3.3)
        min(rules.streams, setup.inbound_streams),
        rules.max_inbound_streams,
        cookie.local_initial_tsn & TSN_MASK,
    )
    ack.addresses = announce
    ack.unrecognized = setup.unrecognized
    ack.adaptation = rules.adaptation_layer
    capabilities.offer(ack, cookie.capabilities, method=rules.error_detection_method)
    ack.cookie = jar.sign(cookie, now)
    ack.auth = cookie.local_auth
    # "MAY elect to omit some or all of the 'Unrecognized Parameter' parameters to reduce the size" (section 12.4): what
    # the INIT ACK repeats of the INIT, in reports and in the cookie, takes hardly more bytes than it took there.
    limit = largest_packet(rules.usual_mtu, cookie.source, cookie.udp_port) - COMMON_HEADER
    return ack.encode(ack=True, limit=limit, reports=setup.parameters - cookie.spoken + REPORT_HEADERS)
