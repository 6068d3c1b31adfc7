"""Network namespaces: hosts of their own on this machine, and cables between them.

A test enters a host with its own thread, and what it opens there stays there; programs that it starts meanwhile live
there, too. The I/O thread of blocking sockets reads the interfaces of the host where it began: before a test enters a
host, it waits until what earlier tests have closed has ended, and that thread with it. Namespaces take root's
privileges and Linux, two hosts also the command ``ip``: where these are missing, the test is skipped.
"""

from __future__ import annotations

import ctypes
import gc
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Final

import pytest

from sctpx.blocking.hub import IO_THREAD, hub
from sctpx.link.interfaces import interface_addresses
from sctpx.sockapi.ending import Ending

_CLONE_NEWNET: Final = 0x40000000
_THIS_NETWORK: Final = "/proc/thread-self/ns/net"
_numbers = count(1)
_SHUTDOWN: Final = 2 * 10**9
"""How long sockets that were closed may take to end gracefully, ns."""
_LOOK: Final = 10**8
"""How often the test looks whether they have ended, ns."""
_PATIENCE: Final = 10.0
"""Seconds in which the I/O thread has ended."""
apart = [0]
"""How many hosts of its own this process is in: there, all ports are free."""


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, timeout=20)


def _libc() -> ctypes.CDLL:
    if sys.platform != "linux":
        pytest.skip("network namespaces are Linux's")
    if shutil.which("ip") is None:
        pytest.skip("the command ip is missing (Debian: iproute2)")
    return ctypes.CDLL(None, use_errno=True)


def _let_sockets_end() -> None:
    """Wait until no blocking socket is left, and no I/O thread. What does not end by itself is aborted."""
    gc.collect()
    now = time.monotonic_ns()
    ending = Ending(now + _SHUTDOWN, "another test begins")
    with hub.guard, hub.lock:
        while hub.carriers:
            assert time.monotonic_ns() < now + 3 * _SHUTDOWN, "a socket is still open on another host"
            for carrier in list(hub.carriers):
                carrier.cut_off(ending)
            hub.wait(hub.emptied, time.monotonic_ns() + _LOOK)
    for thread in threading.enumerate():
        if thread.name == IO_THREAD:
            thread.join(_PATIENCE)
            assert not thread.is_alive(), "the I/O thread is still there, on another host"


@contextmanager
def own_host(addresses: Sequence[str] = ()) -> Iterator[None]:
    """This thread is in a host of its own: a loopback interface, these further IPv6 addresses on it, nothing else."""
    libc = _libc()
    _let_sockets_end()
    with open(_THIS_NETWORK) as before:
        if libc.unshare(_CLONE_NEWNET):
            pytest.skip("a network namespace takes privileges")
        apart[0] += 1
        try:
            _ip("link", "set", "lo", "up")
            for address in addresses:
                _ip("addr", "add", f"{address}/128", "dev", "lo", "nodad")
            interface_addresses(refresh=True)
            yield
        finally:
            apart[0] -= 1
            libc.setns(before.fileno(), _CLONE_NEWNET)
            interface_addresses(refresh=True)


@dataclass(frozen=True)
class Host:
    """A host with an end of each cable."""

    name: str
    addresses: list[str]
    """The IPv4 address at each cable."""
    addresses6: list[str]
    """The IPv6 address at each cable."""

    def command(self, *words: str) -> list[str]:
        """A command that runs these words on this host."""
        return ["ip", "netns", "exec", self.name, *words]

    def run(self, *words: str) -> None:
        """Run a command on this host, to its end."""
        subprocess.run(self.command(*words), check=True, capture_output=True, timeout=20)

    @contextmanager
    def entered(self) -> Iterator[None]:
        """This thread is on the host."""
        libc = _libc()
        _let_sockets_end()
        with open(_THIS_NETWORK) as before, open(f"/run/netns/{self.name}") as here:
            if libc.setns(here.fileno(), _CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
            apart[0] += 1
            try:
                interface_addresses(refresh=True)
                yield
            finally:
                apart[0] -= 1
                libc.setns(before.fileno(), _CLONE_NEWNET)
                interface_addresses(refresh=True)

    def lose(self, cable: int, address: str) -> None:
        """What this host sends to an address at a cable vanishes from now on."""
        self.run(
            "ip", "neigh", "replace", address, "lladdr", "02:00:00:00:00:01", "dev", f"cable{cable}", "nud", "permanent"
        )


@contextmanager
def bare_hosts(count: int) -> Iterator[list[str]]:
    """So many hosts with a loopback interface and nothing else: their names."""
    _libc()
    with ExitStack() as stack:
        names: list[str] = []
        for _ in range(count):
            name = f"sctpx-{os.getpid()}-{next(_numbers)}"
            try:
                _ip("netns", "add", name)
            except subprocess.CalledProcessError as error:
                pytest.skip(f"a network namespace takes privileges: {error.stderr!r}")
            stack.callback(_ip, "netns", "del", name)
            _ip("-n", name, "link", "set", "lo", "up")
            names.append(name)
        yield names


@contextmanager
def two_hosts(cables: int = 1) -> Iterator[tuple[Host, Host]]:
    """Two hosts with so many cables between them; cable ``n``, from 1 on, is the network 10.9.n.0/24, fd09:n::/64."""
    numbers = range(1, cables + 1)
    with bare_hosts(2) as names:
        hosts = [
            Host(name, [f"10.9.{cable}.{end}" for cable in numbers], [f"fd09:{cable}::{end}" for cable in numbers])
            for end, name in enumerate(names, 1)
        ]
        for host in hosts:
            # Else IPv6 addresses cannot be used for a second, while the kernel looks whether they are unique.
            host.run("sh", "-c", "echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad")
            # And of many refusals in a row some would not be told: one ICMP message a second, after a burst of six.
            host.run(
                "sh", "-c", "echo 0 > /proc/sys/net/ipv4/icmp_ratelimit; echo 0 > /proc/sys/net/ipv6/icmp/ratelimit"
            )
        for cable in numbers:
            _lay(cable, hosts)
        yield hosts[0], hosts[1]


def _lay(cable: int, hosts: Sequence[Host]) -> None:
    """A cable between two hosts. Each knows the hardware address of the other: asking for it takes IPv6 a second."""
    name = f"cable{cable}"
    near, far = (["name", name, "address", _hardware(cable, end), "netns", host.name] for end, host in enumerate(hosts))
    _ip("link", "add", *near, "type", "veth", "peer", *far)
    for end, host in enumerate(hosts):
        other = hosts[1 - end]
        _ip("-n", host.name, "addr", "add", f"{host.addresses[cable - 1]}/24", "dev", name)
        _ip("-n", host.name, "addr", "add", f"{host.addresses6[cable - 1]}/64", "dev", name, "nodad")
        _ip("-n", host.name, "link", "set", name, "up")
        for address in (other.addresses[cable - 1], other.addresses6[cable - 1]):
            _neighbour(host, address, cable, _hardware(cable, 1 - end))


def _neighbour(host: Host, address: str, cable: int, hardware: str) -> None:
    _ip("-n", host.name, "neigh", "replace", address, "lladdr", hardware, "dev", f"cable{cable}", "nud", "permanent")


def _hardware(cable: int, end: int) -> str:
    return f"02:00:00:00:{cable:02x}:{end + 1:02x}"
