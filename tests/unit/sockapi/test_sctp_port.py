"""An SCTP port is taken in the stack and in what carries its packets, or in neither."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable

import pytest

from sctpx.core.config import AssociationConfig
from sctpx.core.endpoint import Endpoint
from sctpx.core.stack import Stack
from sctpx.sockapi.sctp_port import open_endpoint
from sctpx.testing.clock import seeded_bytes

ADDRESSES = [bytes([192, 0, 2, 1])]


class Carrier:
    """Another program has those ports that ``is_foreign`` says."""

    def __init__(self, is_foreign: Callable[[int], bool] = lambda port: False, refusal: int = errno.EADDRINUSE) -> None:
        self.stack = Stack(seeded_bytes(1), 0)
        self.is_foreign = is_foreign
        self.refusal = refusal
        self.asked: list[int] = []
        self.open_ports: list[int] = []

    def open_port(self, port: int, addresses: Iterable[bytes]) -> None:
        assert list(addresses) == ADDRESSES
        self.asked.append(port)
        if self.is_foreign(port):
            raise OSError(self.refusal, "another program has it")
        self.open_ports.append(port)

    def take(self, port: int) -> Endpoint:
        """Take a port by the function under test."""
        return open_endpoint(self.stack, self, 0, port, ADDRESSES, AssociationConfig())


def test_a_named_port_is_taken_in_both() -> None:
    carrier = Carrier()
    assert carrier.take(5000).port == 5000
    assert carrier.open_ports == list(carrier.stack.endpoints) == [5000]


def test_a_port_of_the_stack_is_refused_before_anybody_is_asked() -> None:
    carrier = Carrier()
    carrier.take(5000)
    with pytest.raises(OSError, match="in use in this stack") as failure:
        carrier.take(5000)
    assert failure.value.errno == errno.EADDRINUSE
    assert carrier.asked == [5000]


def test_a_named_port_of_another_program_is_refused_and_the_endpoint_closed() -> None:
    carrier = Carrier(lambda port: port == 5000)
    with pytest.raises(OSError, match="another program has it") as failure:
        carrier.take(5000)
    assert failure.value.errno == errno.EADDRINUSE
    assert carrier.asked == [5000]
    assert not carrier.stack.endpoints


def test_a_port_is_drawn_again_until_it_is_nobody_elses() -> None:
    carrier = Carrier()
    carrier.is_foreign = lambda port: len(carrier.asked) <= 2
    endpoint = carrier.take(0)
    assert len(set(carrier.asked)) == 3
    assert carrier.open_ports == list(carrier.stack.endpoints) == [endpoint.port] == carrier.asked[2:]


def test_a_long_run_of_ports_that_another_program_has_is_left_at_once() -> None:
    """The ports of a stack follow each other, and so do those of the other program."""
    carrier = Carrier()
    carrier.stack.follow_udp_port(40000)
    assert carrier.take(0).port == 40000
    second = carrier.take(0).port
    carrier.is_foreign = lambda port: second < port <= second + 1000
    ports = [carrier.take(0).port for _ in range(100)]
    assert len(carrier.asked) < 120
    assert len(set(ports)) == 100
    assert all(16384 <= port < 32768 for port in ports)


def test_drawing_ends_where_all_ports_are_taken() -> None:
    carrier = Carrier(lambda port: True)
    with pytest.raises(OSError, match="another program has it"):
        carrier.take(0)
    assert not carrier.stack.endpoints


def test_another_failure_is_not_tried_again() -> None:
    carrier = Carrier(lambda port: True, errno.EMFILE)
    with pytest.raises(OSError, match="another program") as failure:
        carrier.take(0)
    assert failure.value.errno == errno.EMFILE
    assert len(carrier.asked) == 1
    assert not carrier.stack.endpoints
