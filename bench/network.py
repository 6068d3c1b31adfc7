"""The networks the work is done in: network namespaces that are made for a run and go with it.

``Loopback`` is a namespace whose loopback interface has the MTU that is asked for. ``Cables`` are two hosts joined by
several cables, each of which can be cut: a bridge in a namespace between them joins the ends of each, and a cable is
cut by taking one of its ends out of its bridge. Nobody is told, and no interface goes down. The hosts know each other's
hardware addresses by heart, so that a dead cable is silent and not "unreachable".

Namespaces take root. Without it ``Loopback`` is the host's own loopback interface, which serves as well for packets of
1500 bytes, since all stacks choose that size by themselves; there are no ``Cables`` then.
"""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
from types import TracebackType
from typing import Self

from .build import Unavailable

SERVER, CLIENT = 0, 1
_numbers = itertools.count()


def can_make_namespaces() -> bool:
    """Whether this user can."""
    return os.geteuid() == 0 and shutil.which("ip") is not None


def _ip(*words: str) -> None:
    try:
        subprocess.run(["ip", *words], check=True, capture_output=True, text=True, timeout=30)
    except subprocess.CalledProcessError as error:
        raise Unavailable(f"ip {' '.join(words)}: {error.stderr.strip()}") from None


class Network:
    """Where a server and a client run."""

    def __init__(self, *namespaces: str) -> None:
        """Make the namespaces; each name is used once on this machine."""
        self._namespaces: list[str] = []
        try:
            for name in namespaces:
                namespace = f"sctpx-{name}-{os.getpid()}-{next(_numbers)}"
                _ip("netns", "add", namespace)
                self._namespaces.append(namespace)
                _ip("-n", namespace, "link", "set", "lo", "up")
        except Unavailable:
            self.close()
            raise

    @property
    def in_namespace(self) -> bool:
        """Whether it is apart from the host's own network."""
        return bool(self._namespaces)

    def prefix(self, role: int) -> list[str]:
        """What comes before the command of a process that is to run there."""
        return ["ip", "netns", "exec", self._namespaces[role % len(self._namespaces)]] if self._namespaces else []

    def addresses(self, role: int) -> list[str]:
        """The IP addresses of the server or the client."""
        return ["127.0.0.1"]

    def cut(self, *cables: int) -> None:
        """Exactly these cables are cut from now on, counted from 0."""
        if cables:
            raise Unavailable("there are no cables to cut")

    def close(self) -> None:
        """Remove the namespaces."""
        for namespace in self._namespaces:
            subprocess.run(["ip", "netns", "del", namespace], check=False, timeout=30)
        self._namespaces.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Loopback(Network):
    """One host; its loopback interface."""

    def __init__(self, mtu: int) -> None:
        if not can_make_namespaces():
            super().__init__()
            return
        super().__init__(f"lo{mtu}")
        _ip("-n", self._namespaces[0], "link", "set", "lo", "mtu", str(mtu))


class Cables(Network):
    """Two hosts and so many cables. ``Unavailable`` without root."""

    def __init__(self, count: int) -> None:
        if not can_make_namespaces():
            raise Unavailable("network namespaces take root")
        super().__init__("server", "client", "between")
        self._count = count
        try:
            for cable in range(count):
                self._lay(cable)
        except Unavailable:
            self.close()
            raise

    def _lay(self, cable: int) -> None:
        between = self._namespaces[2]
        bridge = f"bridge{cable}"
        _ip("-n", between, "link", "add", bridge, "type", "bridge", "forward_delay", "0")
        _ip("-n", between, "link", "set", bridge, "up")
        for role in (SERVER, CLIENT):
            host, end, interface = self._namespaces[role], f"end{cable}-{role}", f"eth{cable}"
            _ip("-n", host, "link", "add", interface, "address", _hardware(cable, role), "type", "veth",
                "peer", "name", end, "netns", between)  # fmt: skip
            _ip("-n", between, "link", "set", end, "master", bridge, "up")
            _ip("-n", host, "addr", "add", f"{_address(cable, role)}/24", "dev", interface)
            _ip("-n", host, "link", "set", interface, "up")
            other = 1 - role
            _ip("-n", host, "neigh", "add", _address(cable, other), "lladdr", _hardware(cable, other),
                "dev", interface, "nud", "permanent")  # fmt: skip

    def addresses(self, role: int) -> list[str]:
        """One for each cable."""
        return [_address(cable, role) for cable in range(self._count)]

    def cut(self, *cables: int) -> None:
        """Exactly these cables are cut from now on, counted from 0."""
        for cable in range(self._count):
            bridge = ["nomaster"] if cable in cables else ["master", f"bridge{cable}"]
            _ip("-n", self._namespaces[2], "link", "set", f"end{cable}-{CLIENT}", *bridge)


def _address(cable: int, role: int) -> str:
    return f"10.77.{cable}.{role + 1}"


def _hardware(cable: int, role: int) -> str:
    return f"02:00:00:00:{cable:02x}:{role + 1:02x}"
