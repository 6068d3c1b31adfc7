"""Which way a call of ``calls`` goes, by the rule of ``link.choice``, and the ways to connect: the kernel, our stack.

A call is described by its arguments (``Client``). What of them only one way can do, and what of them names a way, is
found out here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast, final

from ..core.config import AssociationConfig, Limits
from ..kernel.parameters import not_the_kernels
from ..link import SCTP_TUNNELING_PORT, Choice, Link, LinkKind, Named, Way, check_kind, choose_here, ways_of
from ..link.interfaces import source_for
from ..sockapi.addresses import ip_text
from ..sockapi.backend import KERNEL
from ..sockapi.peer import Peer
from ..sockapi.status import BY_KERNEL, AddressReport
from . import kernel_first
from .association import Association, OnEvent
from .driver import Driver
from .endpoint import DEFAULT_CONFIG, Announce, Endpoint, Unset, check_announce, check_udp_port, find_listeners, tuned
from .over_kernel.endpoint import kernel_encaps_port, open_kernel_endpoint
from .resolve import Hosts, LocalHosts, listed, resolve_local, resolve_peer
from .sharing import client_driver, link_driver, port_driver, raw_driver


def choose(
    backend: str | None,
    link: LinkKind | Link[Any] | None,
    *,
    names_udp_port: bool,
    announce: Announce,
    config: AssociationConfig | None,
    limits: Limits | None = None,
    attempt_delay: float | Unset | None = None,
    hosts: Hosts = (),
) -> Choice:
    """The ways for a call with these arguments. ``ValueError`` for a kind of link that does not exist."""
    if backend != KERNEL and link is not None and not isinstance(link, str):
        return Choice(ways_of(link), ("a link was given",))
    only = {
        "limits=": limits is not None,
        'announce="none"': announce == "none",
        "attempt_delay=": isinstance(attempt_delay, int | float),
        "Address(source=)": any(address.source is not None for address in listed(hosts)),
    }
    parameters = not_the_kernels(config) if config is not None else []
    return choose_here(
        Named(
            backend=backend,
            link=check_kind(link) if isinstance(link, str) else None,
            udp_port=names_udp_port,
            # The kernel's SCTP needs no option for ``connect_timeout``: ``connect`` itself ends the attempt in time.
            userspace_only=(
                *[name for name, given in only.items() if given],
                *[name for name in parameters if name != "connect_timeout"],
            ),
        )
    )


@final
@dataclass(slots=True, kw_only=True)
class Client:
    """The arguments of ``connect``."""

    hosts: Hosts
    port: int
    peer_udp_port: int | None
    local: LocalHosts
    local_port: int
    udp_port: int
    announce: Announce
    streams: int | None
    attempt_delay: float | Unset | None
    timeout: float | None
    config: AssociationConfig | None
    close_timeout: float | None
    on_event: OnEvent | None
    link: Link[Any] | LinkKind | None
    reuse_address: bool
    backend: str | None

    @property
    def names_udp_port(self) -> bool:
        """A UDP port was named, ours or the peer's."""
        return bool(self.udp_port or self.peer_udp_port or any(address.udp_port for address in listed(self.hosts)))

    async def connect(self) -> Association:
        """Go the way that is chosen, or two of them."""
        self.hosts = listed(self.hosts)
        choice = choose(
            self.backend,
            self.link,
            names_udp_port=self.names_udp_port,
            announce=self.announce,
            config=self.config,
            attempt_delay=self.attempt_delay,
            hosts=self.hosts,
        )
        timeout = self.timeout
        if not choice.kernel:
            # A peer without UDP is asked natively alone, where that can be.
            natively = self.peer_udp_port == 0 and "raw" in choice.ways
            return await OwnStack(self, ("raw",) if natively else choice.ways).connect(timeout)
        by_kernel = Kernel(self)
        if not choice.userspace or self.peer_udp_port == 0:  # The peer is said to be without UDP.
            return await by_kernel.connect(timeout)
        if timeout is None and self.config is not None:
            timeout = self.config.connect_timeout
        return await kernel_first.connect(by_kernel, OwnStack(self, choice.userspace), timeout)


@final
class Kernel:
    """The kernel's SCTP as a way to associate."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._peer: Peer | None = None
        self._association: Association | None = None

    async def connect(self, timeout: float | None) -> Association:
        """Go it. ``timeout`` ends the attempt after so many seconds; ``None`` leaves that to the configuration."""
        client = self._client
        encaps_port = kernel_encaps_port() if client.peer_udp_port is None else client.peer_udp_port
        self._peer = peer = await resolve_peer(client.hosts, client.port, encaps_port)
        endpoint = await open_kernel_endpoint(
            client.local,
            client.local_port,
            peer=peer,
            udp_port=client.udp_port,
            peer_udp_port=client.peer_udp_port,
            announce=client.announce,
            config=client.config,
            streams=client.streams,
            attempt_delay=client.attempt_delay,
            close_timeout=client.close_timeout,
            on_event=client.on_event,
            link=client.link,
            reuse_address=client.reuse_address,
        )
        try:
            self._association = await endpoint.begin(peer, endpoint.config, timeout)
            return self._association
        finally:
            endpoint.close_when_idle()

    def report(self, error: OSError | None) -> list[AddressReport]:
        """The addresses that the kernel was given; what each answered it does not tell."""
        if self._peer is None:
            return []
        kept = [] if self._association is None else self._association.peer_addresses
        code = 0 if error is None else error.errno or 0
        return [
            AddressReport(address=text, udp_port=address.udp_port, answer=BY_KERNEL, error=code, kept=text in kept)
            for address in self._peer.addresses
            for text in (ip_text(address.ip),)
        ]


@final
class OwnStack:
    """Sctpx's own stack as a way to associate: natively, over UDP, or both."""

    def __init__(self, client: Client, ways: tuple[Way, ...]) -> None:
        self._client = client
        self._ways = ways
        self._endpoint: Endpoint | None = None

    async def connect(self, timeout: float | None) -> Association:
        """Go it. ``timeout`` ends the attempt after so many seconds; ``None`` leaves that to the configuration."""
        client = self._client
        check_udp_port(client.udp_port)
        check_announce(client.announce)
        chosen = tuned(client.config or DEFAULT_CONFIG, client.streams, client.attempt_delay, timeout)
        encaps_port = SCTP_TUNNELING_PORT if client.peer_udp_port is None else client.peer_udp_port
        peer = await resolve_peer(client.hosts, client.port, encaps_port if "udp" in self._ways else 0)
        if "udp" not in self._ways:
            peer.check_without_udp()
        elif client.link is None or isinstance(client.link, str):
            find_listeners(peer, encaps_port)
        driver, addresses, wildcards = await self._side(peer, follows=chosen.auto_asconf)
        if client.peer_udp_port is None and len(self._ways) > 1 and len(ways_of(driver.link)) > 1:
            peer.race_natively()
        self._endpoint = endpoint = Endpoint(
            driver,
            client.local_port,
            addresses,
            chosen,
            wildcards=wildcards,
            announce=client.announce,
            close_timeout=client.close_timeout,
            on_event=client.on_event,
            reuse_address=client.reuse_address,
        )
        try:
            return await endpoint.associate(peer, chosen)
        finally:
            endpoint.close_when_idle()

    async def _side(self, peer: Peer, *, follows: bool) -> tuple[Driver, list[bytes], list[bytes]]:
        """The driver for an association with a peer, the local addresses to use, and the wildcards they come from.

        Of wildcards, and of all addresses if none is named, those are used that reach the peer; all of them if the
        association ``follows`` the addresses of the host.
        """
        client = self._client
        wildcards: list[bytes] = []
        if client.link is not None and not isinstance(client.link, str):
            return link_driver(client.link), list(client.link.addresses), wildcards
        if client.local is None and not follows:
            addresses = peer.find_sources(source_for)
        else:
            addresses, wildcards, _ = await resolve_local(client.local)
            peer.keep_reachable(addresses)
            if wildcards and not follows:
                addresses, wildcards = peer.find_sources(source_for), []
        if "udp" not in self._ways:
            return raw_driver(addresses, client.local_port), addresses, wildcards
        if client.udp_port:
            return port_driver(addresses, client.udp_port), addresses, wildcards
        return client_driver(addresses, self._ways), addresses, wildcards

    def report(self, error: OSError | None) -> Sequence[AddressReport]:
        """What each address answered so far."""
        told = getattr(error, "report", ())
        if told or self._endpoint is None:
            return cast("Sequence[AddressReport]", told)
        return [entry for association in self._endpoint.associations for entry in association.report]
