"""An SCTP port is taken in the stack and in the link, or in neither."""

from __future__ import annotations

import errno
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest

from sctpx.link.sctp_port import take

ADDRESSES = [bytes(4)]


@dataclass
class Endpoint:
    """An endpoint of a stack."""

    port: int
    closed: bool = False


@dataclass
class Host:
    """A stack whose ports are drawn in order, and a link; other programs have some ports."""

    foreign: set[int] = field(default_factory=set)
    refusal: int = errno.EADDRINUSE
    opened: list[Endpoint] = field(default_factory=list)
    link_ports: list[int] = field(default_factory=list)

    def open_port(self, port: int, addresses: Iterable[bytes]) -> None:
        """The link's."""
        assert list(addresses) == ADDRESSES
        if port in self.foreign:
            raise OSError(self.refusal, "another program has it")
        self.link_ports.append(port)

    def take(self, port: int) -> Endpoint:
        """Take a port by the function under test."""
        draws = count(50000)

        def open_endpoint(wanted: int) -> Endpoint:
            self.opened.append(Endpoint(wanted or next(draws)))
            return self.opened[-1]

        def close_endpoint(endpoint: Endpoint) -> None:
            endpoint.closed = True

        link: Any = self
        return take(link, iter(ADDRESSES), port, open_endpoint, close_endpoint)

    def left(self) -> list[int]:
        """The ports of endpoints that are open."""
        return [endpoint.port for endpoint in self.opened if not endpoint.closed]


def test_a_named_port_is_taken_in_both() -> None:
    host = Host()
    assert host.take(5000).port == 5000
    assert host.link_ports == host.left() == [5000]


def test_a_named_port_of_another_program_is_refused_and_the_endpoint_closed() -> None:
    host = Host(foreign={5000})
    with pytest.raises(OSError, match="another program has it") as failure:
        host.take(5000)
    assert failure.value.errno == errno.EADDRINUSE
    assert len(host.opened) == 1
    assert host.left() == []


def test_a_port_is_drawn_again_until_it_is_nobody_elses() -> None:
    host = Host(foreign={50000, 50001})
    assert host.take(0).port == 50002
    assert host.link_ports == host.left() == [50002]


def test_drawing_ends_where_all_ports_are_taken() -> None:
    host = Host(foreign=set(range(50000, 65536)))
    with pytest.raises(OSError, match="another program has it"):
        host.take(0)
    assert host.left() == []


def test_another_failure_of_the_link_is_not_tried_again() -> None:
    host = Host(foreign={50000}, refusal=errno.EMFILE)
    with pytest.raises(OSError, match="another program") as failure:
        host.take(0)
    assert failure.value.errno == errno.EMFILE
    assert len(host.opened) == 1
    assert host.left() == []
