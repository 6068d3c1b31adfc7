"""What the link tests share: links and sockets that are closed in the end, and a kernel that can be told to refuse.

Everything runs on real sockets of the loopback interface. Faults are not simulated either, the kernel makes them:
``refused_by_kernel`` runs a call in a thread whose system calls a seccomp filter fails, ``own_network`` in a
thread with a network namespace of its own. Where the system does not allow that, the test is skipped.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import select
import socket
import struct
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from typing import Any, TypeAlias, TypeVar

import pytest

from sctpx.link import Received, UdpLink, UdpSocket
from sctpx.link.interfaces import interface_addresses
from tests.ports import closed_udp_port

ResultT = TypeVar("ResultT")
OpenLink: TypeAlias = Callable[..., UdpLink]
OpenSocket: TypeAlias = Callable[..., socket.socket]
Collect: TypeAlias = Callable[[UdpLink, UdpSocket, int], list[Received]]
ClosedPort: TypeAlias = Callable[[str], int]
Elsewhere: TypeAlias = Callable[..., Any]

PATIENCE = 5.0
"""Seconds to wait for what is certain to come; on loopback it is there already."""


@pytest.fixture
def open_link() -> Iterator[OpenLink]:
    """``UdpLink.open``; the links are closed after the test."""
    links = []

    def opened(*arguments: Any, **options: Any) -> UdpLink:
        link = UdpLink.open(*arguments, **options)
        links.append(link)
        return link

    yield opened
    for link in links:
        link.close()


@pytest.fixture
def open_socket() -> Iterator[OpenSocket]:
    """A plain UDP socket bound to an address and port; closed after the test."""
    sockets = []

    def opened(ip: str, port: int = 0) -> socket.socket:
        sock = socket.socket(socket.AF_INET6 if ":" in ip else socket.AF_INET, socket.SOCK_DGRAM)
        sockets.append(sock)
        sock.bind((ip, port))
        return sock

    yield opened
    for sock in sockets:
        sock.close()


@pytest.fixture
def collect() -> Collect:
    """Receive on a socket of a link until so many bytes have arrived."""

    def collected(link: UdpLink, sock: UdpSocket, size: int) -> list[Received]:
        batches: list[Received] = []
        while sum(len(batch[3]) for batch in batches) < size:
            assert select.select([sock], [], [], PATIENCE)[0], "what was sent did not arrive"
            batches += link.receive(sock)
        return batches

    return collected


@pytest.fixture
def closed_port() -> ClosedPort:
    """A UDP port of an address on which nobody listens."""
    return closed_udp_port


def in_a_thread(call: Callable[[], ResultT]) -> ResultT:
    """Run a call in a thread that ends with it, and with what it did to itself."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(call).result()


@pytest.fixture
def own_network() -> Iterator[Elsewhere]:
    """Run a call in a network of its own: a loopback interface with this MTU, these further addresses, nothing else."""

    def elsewhere(mtu: int, call: Callable[[], ResultT], addresses: Sequence[str] = ()) -> ResultT:
        return in_a_thread(lambda: _with_loopback(mtu, call, addresses))

    yield elsewhere
    interface_addresses(refresh=True)


def _with_loopback(mtu: int, call: Callable[[], ResultT], addresses: Sequence[str]) -> ResultT:
    clone_newnet, siocsifflags, siocsifmtu, iff_up = 0x40000000, 0x8914, 0x8922, 1
    if sys.platform != "linux":
        pytest.skip("network namespaces are Linux's")
    import fcntl  # noqa: PLC0415 - Unix only

    if ctypes.CDLL(None, use_errno=True).unshare(clone_newnet):
        pytest.skip("a network namespace takes privileges")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        fcntl.ioctl(asking, siocsifmtu, struct.pack("16si20x", b"lo", mtu))
        fcntl.ioctl(asking, siocsifflags, struct.pack("16sh22x", b"lo", iff_up))
    for address in addresses:
        add_to_loopback(address)
    interface_addresses(refresh=True)
    return call()


def add_to_loopback(address: str) -> None:
    """Give the loopback interface an IPv6 address, and wait until the kernel has the route that makes it usable."""
    import fcntl  # noqa: PLC0415 - Unix only

    ip = ip_address(address).packed
    siocsifaddr, netlink_route, group_ipv6_route, new_route, local_table = 0x8916, 0, 0x400, 24, 255
    with (
        socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, netlink_route) as news,
        socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as asking,
    ):
        news.bind((0, group_ipv6_route))
        news.settimeout(PATIENCE)
        fcntl.ioctl(asking, siocsifaddr, struct.pack("16sIi", ip, 128, socket.if_nametoindex("lo")))
        while True:
            item = news.recv(4096)
            kind, table = int.from_bytes(item[4:6], sys.byteorder), item[20]
            if (kind, table) == (new_route, local_table) and ip in item:
                break


_SYSTEM_CALLS = {"x86_64": {"sendto": 44, "sendmsg": 46}, "aarch64": {"sendto": 206, "sendmsg": 211}}


@pytest.fixture
def refused_by_kernel() -> Elsewhere:
    """Run a call while the kernel fails a system call with an errno: each, or only ``sendto`` of so many bytes."""

    def elsewhere(system_call: str, code: int, call: Callable[[], ResultT], length: int | None = None) -> ResultT:
        return in_a_thread(lambda: _with_filter(system_call, code, call, length))

    return elsewhere


def _with_filter(system_call: str, code: int, call: Callable[[], ResultT], length: int | None) -> ResultT:
    number = _SYSTEM_CALLS.get(platform.machine(), {}).get(system_call)
    if sys.platform != "linux" or number is None:
        pytest.skip("no filter for system calls here")
    load, jump_if_equal, answer = 0x20, 0x15, 0x06  # BPF: LD W ABS, JMP JEQ K, RET K
    fail, allow = 0x00050000 | code, 0x7FFF0000  # SECCOMP_RET_ERRNO, SECCOMP_RET_ALLOW
    number_offset, third_argument_offset = 0, 32  # struct seccomp_data
    program = [(load, 0, 0, number_offset), (jump_if_equal, 0, 3 if length else 1, number)]
    if length:
        program += [(load, 0, 0, third_argument_offset), (jump_if_equal, 0, 1, length)]
    program += [(answer, 0, 0, fail), (answer, 0, 0, allow)]
    instructions = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in program))
    described = ctypes.create_string_buffer(struct.pack("@HP", len(program), ctypes.addressof(instructions)))
    pr_set_no_new_privs, pr_set_seccomp, filter_mode = 38, 22, 2
    process = ctypes.CDLL(None, use_errno=True)
    process.prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
    process.prctl(pr_set_no_new_privs, 1, 0, 0, 0)
    if process.prctl(pr_set_seccomp, filter_mode, ctypes.addressof(described), 0, 0):
        pytest.skip(f"no filter for system calls: {errno.errorcode[ctypes.get_errno()]}")
    return call()
