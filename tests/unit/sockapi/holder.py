"""A socket that is nothing but its settings and associations, for the tests of what is set on it."""

from __future__ import annotations

import errno
from dataclasses import dataclass, field

import pytest

from sctpx.core.association.association import Association
from sctpx.core.config import AssociationConfig
from sctpx.sockapi import options
from sctpx.sockapi.constants import IPPROTO_SCTP
from sctpx.sockapi.settings import AssociationSettings, EndpointSettings, sockets_config
from sctpx.sockapi.structs import Struct
from sctpx.testing import Pair


@dataclass
class Member:
    """An association of the socket."""

    core: Association
    settings: AssociationSettings


@dataclass
class Socket:
    """The socket."""

    settings: EndpointSettings
    one_to_many: bool
    ipv6: bool = False
    bound: bool = False
    members: dict[int, Member] = field(default_factory=dict)
    now: int = 0
    refuses_ecn: bool = False

    def check(self, config: AssociationConfig) -> None:
        """What carries its packets cannot read the ECN bits, if it ``refuses_ecn``."""
        if config.ecn and self.refuses_ecn:
            raise OSError(errno.EOPNOTSUPP, "no ECN")

    def get(
        self,
        name: int,
        asked: Struct | bytes | None = None,
        assoc_id: int | None = None,
        level: int = IPPROTO_SCTP,
    ) -> options.Value:
        """``getsockopt``."""
        return options.get_option(self, level, name, asked, assoc_id)

    def set(self, name: int, value: options.Value | bytes, level: int = IPPROTO_SCTP) -> None:
        """``setsockopt``."""
        options.set_option(self, self.now, level, name, value)

    def attach(self, association: Association) -> None:
        """An association of the core is one of this socket."""
        self.members[association.id] = Member(association, self.settings.begin())


def make_socket(one_to_many: bool = False, ipv6: bool = False) -> Socket:
    """A socket without associations."""
    return Socket(EndpointSettings.of_style(one_to_many), one_to_many, ipv6)


def connected(
    one_to_many: bool = False,
    paths: int = 2,
    config: AssociationConfig | None = None,
    ipv6: bool = False,
    mtu: int = 0,
) -> tuple[Socket, Pair]:
    """A socket with an association in virtual time, the side A of a pair."""
    pair = Pair(seed=1, paths=paths, ipv6=ipv6, config=config or sockets_config(), mtu=mtu).connect()
    socket = make_socket(one_to_many, ipv6)
    socket.now = pair.network.clock.now
    socket.attach(pair.a.association)
    return socket, pair


def raises(code: int) -> pytest.RaisesExc[OSError]:
    """``OSError`` with that errno."""
    return pytest.raises(OSError, match=r".", check=lambda error: error.errno == code)
