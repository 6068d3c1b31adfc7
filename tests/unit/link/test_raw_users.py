"""Who else on a host receives SCTP over IP at an address, and who of them answers for the ports that nobody has."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from ipaddress import ip_address

import pytest

from sctpx.link.raw_users import Standing, mark, standing
from tests.namespaces import own_host

both_families = pytest.mark.parametrize("ip", ["127.0.0.1", "::1"])


@pytest.fixture(scope="module", autouse=True)
def host() -> Iterator[None]:
    """A host where nobody else has raw sockets."""
    with own_host():
        yield


@pytest.fixture
def open_raw() -> Iterator[Callable[..., int]]:
    """Open a raw socket, with our mark or as strangers do: its inode. All are closed in the end."""
    with ExitStack() as opened:

        def open_one(ip: str, *, marked: bool = True, has_ports: bool = True, protocol: int = 132) -> int:
            family = socket.AF_INET6 if ":" in ip else socket.AF_INET
            sock = opened.enter_context(socket.socket(family, socket.SOCK_RAW, protocol))
            sock.bind((ip, 0))
            inode = os.fstat(sock.fileno()).st_ino
            if marked:
                opened.callback(mark(inode).release)
            if marked and has_ports:
                opened.callback(mark(inode, has_ports=True).release)
            return inode

        yield open_one


def at(ip: str, inode: int) -> Standing:
    """What a socket is at an address."""
    return standing(ip_address(ip).packed, inode)


@both_families
def test_the_only_socket_at_an_address_is_alone(open_raw: Callable[..., int], ip: str) -> None:
    inode = open_raw(ip)
    open_raw("127.0.0.2")
    open_raw(ip, protocol=133)
    assert at(ip, inode) is Standing.ALONE


@both_families
def test_of_several_sockets_of_ours_one_answers(open_raw: Callable[..., int], ip: str) -> None:
    inodes = [open_raw(ip) for _ in range(3)]
    found = {inode: at(ip, inode) for inode in inodes}
    assert found.pop(min(inodes)) is Standing.FIRST
    assert set(found.values()) == {Standing.SILENT}


@both_families
def test_a_socket_without_ports_leaves_answering_to_another(open_raw: Callable[..., int], ip: str) -> None:
    without, first, second = open_raw(ip, has_ports=False), open_raw(ip), open_raw(ip)
    assert without < first < second
    assert at(ip, first) is Standing.FIRST
    assert at(ip, second) is Standing.SILENT


@both_families
@pytest.mark.parametrize("everywhere", [False, True])
def test_beside_a_stranger_nobody_answers(open_raw: Callable[..., int], ip: str, everywhere: bool) -> None:
    inodes = [open_raw(ip) for _ in range(2)]
    wildcard = "::" if ":" in ip else "0.0.0.0"
    open_raw(wildcard if everywhere else ip, marked=False)
    assert {at(ip, inode) for inode in inodes} == {Standing.SILENT}


def test_a_socket_that_the_system_does_not_list_is_silent() -> None:
    assert at("127.0.0.1", 1) is Standing.SILENT
