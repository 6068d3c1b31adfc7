"""Hosts of our own on one machine: network namespaces, joined by pairs of virtual interfaces.

What loopback cannot show is shown here: several links, addresses that come and go, hosts that are far away. It takes
Linux, root and the ``ip`` command (Debian: iproute2); without them the tests are skipped.

A call runs on a host in a thread that has moved there (``Host.run``); sockets belong to the host they were opened on,
whichever thread uses them. What runs at the same time on another host is a process (``Host.start``), since sctpx
remembers the interfaces of one host.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TypeVar, final

from tests import namespaces

T = TypeVar("T")


@final
class Program:
    """A Python program that runs on a host, and answers each line with a line."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process = process
        self._to: IO[str] = process.stdin
        self._from: IO[str] = process.stdout

    def line(self) -> str:
        """The next line it prints."""
        line = self._from.readline()
        assert line, "the program has ended"
        return line.strip()

    def ask(self, question: str) -> str:
        """Write a line, and read one."""
        print(question, file=self._to, flush=True)
        return self.line()


@final
class Host:
    """One network namespace."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._there = namespaces.Host(name, [], [])

    def ip(self, command: str) -> None:
        """Run ``ip`` there."""
        self._there.run("ip", *command.split())

    def connect(self, interface: str, other: Host, its_interface: str) -> None:
        """Join it with another host by a link. The interfaces have no address yet."""
        self.ip(f"link add {interface} type veth peer name {its_interface} netns {other.name}")
        for host, name in ((self, interface), (other, its_interface)):
            host.ip(f"link set {name} addrgenmode none")
            host.ip(f"link set {name} up")

    def add(self, address: str, interface: str, *, unique: bool = True) -> None:
        """Give an interface an address: ``192.0.2.1/24``. ``unique=False``: it still has to be found unique (DAD)."""
        self.ip(f"addr add {address} dev {interface}{' nodad' if unique and ':' in address else ''}")

    def remove(self, address: str, interface: str) -> None:
        """Take an address away from an interface."""
        self.ip(f"addr del {address} dev {interface}")

    def forward(self) -> None:
        """Be a router."""
        for switch in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
            self._there.run("sh", "-c", f"echo 1 > /proc/sys/net/{switch}")

    def ignore(self, address: str) -> None:
        """Drop what an IPv4 address sends: it has no way back."""
        self._there.run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/conf/all/rp_filter")
        self.ip(f"route add blackhole {address}/32")

    def run(self, call: Callable[[], T]) -> T:
        """Run a call there, and return what it returns."""

        def moved() -> T:
            with self._there.entered():
                return call()

        with ThreadPoolExecutor(1) as pool:
            return pool.submit(moved).result()

    @contextmanager
    def start(self, program: Path, *arguments: str) -> Iterator[Program]:
        """Run a program there until the end of the context."""
        words = self._there.command(sys.executable, str(program), *arguments)
        with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            try:
                yield Program(process)
            finally:
                process.kill()


@contextmanager
def hosts(count: int) -> Iterator[list[Host]]:
    """So many hosts, not joined yet. Skips the test where they cannot be had."""
    with namespaces.bare_hosts(count) as names:
        yield list(map(Host, names))
