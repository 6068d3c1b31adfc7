"""Whose options: a socket as these modules see it, and the associations that a call is for (RFC 6458 section 7.2).

A ``Scope`` is what one getter or setter works on: an association with its settings, or what future associations begin
with. ``scopes`` finds those an association identifier stands for.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Protocol, final

from ...core.association.association import Association
from ...core.config import AssociationConfig
from ...core.path.path import Path
from .. import constants as c
from ..addresses import SocketAddress, find_alike, is_wildcard, pack_host
from ..settings import AssociationSettings, EndpointSettings


class Member(Protocol):
    """An association of a socket, and what is set for it."""

    @property
    def core(self) -> Association:
        """The association."""

    @property
    def settings(self) -> AssociationSettings:
        """Its own settings, begun with ``EndpointSettings.begin``."""


class Holder(Protocol):
    """A socket, as far as options know it."""

    @property
    def settings(self) -> EndpointSettings:
        """What it was told."""

    @property
    def one_to_many(self) -> bool:
        """Its style."""

    @property
    def ipv6(self) -> bool:
        """It is an AF_INET6 socket."""

    @property
    def bound(self) -> bool:
        """It has an SCTP port."""

    def check(self, config: AssociationConfig) -> None:
        """OSError EOPNOTSUPP if what carries the packets of a bound socket cannot do this."""

    @property
    def members(self) -> Mapping[int, Member]:
        """Its associations by identifier. Of a one-to-one socket: the one it has, if any."""


@final
class Reach(Enum):
    """Which associations an option can be set for."""

    SOCKET = "socket"
    """None: it is the socket's."""
    EVERY = "socket, all its associations"
    """It has no association in it: future ones and all there are ("similar to using SCTP_ALL_ASSOC", section 8)."""
    FUTURE = "association, SCTP_FUTURE_ASSOC"
    ANY = "association, SCTP_FUTURE_ASSOC, SCTP_CURRENT_ASSOC, SCTP_ALL_ASSOC"
    ASSOCIATION = "association"
    PATH = "path, association, SCTP_FUTURE_ASSOC"
    ADDRESS = "path"


@final
@dataclass(slots=True)
class Scope:
    """What a getter or setter works on."""

    holder: Holder
    settings: AssociationSettings
    association: Association | None = None
    """``None`` for what future associations begin with."""
    now: int = 0
    """The time of the call, ns."""

    @property
    def id(self) -> int:
        """The association identifier, as it is told."""
        return c.SCTP_FUTURE_ASSOC if self.association is None else self.association.id

    @property
    def config(self) -> AssociationConfig:
        """The core's parameters."""
        return self.settings.config if self.association is None else self.association.config

    def configure(self, config: AssociationConfig) -> None:
        """Put other parameters in force."""
        self.settings.config = config
        if self.association is not None:
            self.association.reconfigure(self.now, config)

    def live(self) -> Association:
        """The association. OSError EINVAL if there is none."""
        if self.association is None:
            raise OSError(errno.EINVAL, "no such association")
        return self.association

    def path(self, address: SocketAddress | None) -> Path | None:
        """The path to an address of the peer; ``None`` for all of them. OSError EINVAL if it is not the peer's."""
        if address is None:
            return None
        ip = pack_host(address)
        if is_wildcard(ip):
            return None
        association = self.live()
        ip = find_alike(ip, [path.remote for path in association.paths])
        for path in association.paths:
            if path.remote == ip and address[1] in (0, association.peer_port):
                return path
        raise OSError(errno.EINVAL, f"{address[0]} port {address[1]} is not an address of the peer")


def scopes(holder: Holder, now: int, reach: Reach, assoc_id: int, setting: bool) -> list[Scope]:
    """What a call with this association identifier is for. OSError EINVAL if it is for nothing.

    "For the one-to-one style sockets [...] this association ID parameter is ignored" (section 8): it is the association
    of the socket, and before it has one, that to come.
    """
    future = Scope(holder, holder.settings.future)
    current = [Scope(holder, member.settings, member.core, now) for member in holder.members.values()]
    if reach is Reach.SOCKET:
        return [future]
    if reach is Reach.ADDRESS and holder.one_to_many and assoc_id == c.SCTP_FUTURE_ASSOC:
        # "the address will be used to look up the association" (section 8.2.2)
        return [future]
    if reach is Reach.EVERY:
        return [future, *current] if setting else [future]
    if not holder.one_to_many:
        if current:
            return current
        if reach in (Reach.ASSOCIATION, Reach.ADDRESS):
            raise OSError(errno.EINVAL, "the socket has no association")
        return [future]
    if assoc_id > c.SCTP_ALL_ASSOC:
        found = holder.members.get(assoc_id)
        if found is None:
            raise OSError(errno.EINVAL, f"no association {assoc_id}")
        return [Scope(holder, found.settings, found.core, now)]
    if assoc_id == c.SCTP_FUTURE_ASSOC and reach is not Reach.ASSOCIATION:
        return [future]
    # "SCTP_CURRENT_ASSOC and SCTP_ALL_ASSOC cannot be used [...] in getsockopt() calls" (section 8).
    if setting and reach is Reach.ANY and assoc_id in (c.SCTP_CURRENT_ASSOC, c.SCTP_ALL_ASSOC):
        return current if assoc_id == c.SCTP_CURRENT_ASSOC else [future, *current]
    raise OSError(errno.EINVAL, f"association identifier {assoc_id}")
