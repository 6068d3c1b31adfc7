"""Which way SCTP packets go where the caller leaves that open: ``auto``, the default. The one place that has the rule.

A *way* is one of three: ``"kernel"`` is the SCTP of the operating system (IP protocol 132), ``"raw"`` is sctpx's own
stack over raw sockets (IP protocol 132, too), ``"udp"`` is sctpx's own stack over UDP (RFC 6951). ``choose`` answers
from facts about the host and from what the caller named, and opens nothing. docs/links.md has the rule for users.
"""

from __future__ import annotations

import os
import socket
import sys
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, final, get_args

from . import kernel_sctp

Way: TypeAlias = Literal["kernel", "raw", "udp"]
"""How SCTP packets travel, and who makes them."""
Preset: TypeAlias = Literal["auto", "kernel", "raw", "udp"]
"""What stands for a way that a caller did not name."""

PRESETS: Final[tuple[Preset, ...]] = get_args(Preset)
ENVIRONMENT: Final = "SCTPX_LINK"
"""The environment variable with the preset of a process."""
USERSPACE: Final = "userspace"
KERNEL: Final = "kernel"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class HostFacts:
    """What a host and a process have, as far as the rule asks."""

    kernel_sctp: bool
    """The kernel's own SCTP is loaded. It answers every SCTP packet, so that raw sockets are of no use."""
    raw_sockets: bool
    """This process may open raw sockets here."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """What a caller named; by default nothing."""

    backend: str | None = None
    """``"userspace"`` or ``"kernel"``."""
    link: Literal["raw", "udp"] | None = None
    """The kind of link."""
    udp_port: bool = False
    """A UDP port, ours or the peer's."""
    userspace_only: tuple[str, ...] = ()
    """Arguments that the kernel's SCTP cannot follow, by name, as ``"limits="``."""


@final
@dataclass(frozen=True, slots=True)
class Choice:
    """The answer of the rule."""

    ways: tuple[Way, ...]
    """The ways to use, the preferred one first; never empty."""
    reasons: tuple[str, ...]
    """Why: sentences without a full stop, in the order in which the rule decides."""

    @property
    def kernel(self) -> bool:
        """The kernel's SCTP goes first."""
        return self.ways[0] == "kernel"

    @property
    def userspace(self) -> tuple[Way, ...]:
        """The ways of sctpx's own stack among them, the preferred one first."""
        return tuple(way for way in self.ways if way != "kernel")


def choose(facts: HostFacts, named: Named | None = None, preset: Preset = "auto") -> Choice:
    """The ways to a peer, and to be found by peers.

    ``preset`` is what ``preset_of_environment`` gives. A way that is named is the answer also where it cannot be gone:
    whoever goes there raises the error.
    """
    named = named or Named()
    if named.backend == KERNEL:
        return Choice(("kernel",), ('backend="kernel" was named',))
    if named.link is not None:
        return Choice((named.link,), (f'link="{named.link}" was named',))
    if named.udp_port:
        return Choice(("udp",), ("a UDP port was named, which only SCTP over UDP has",))
    if named.backend is None and preset != "auto":
        return Choice((preset,), (f"{ENVIRONMENT}={preset} is in the environment",))
    if named.backend == USERSPACE and preset in ("raw", "udp"):
        return Choice((preset,), (f"{ENVIRONMENT}={preset} is in the environment",))
    return _auto(facts, named)


def _auto(facts: HostFacts, named: Named) -> Choice:
    if facts.kernel_sctp:
        loaded = "the kernel's own SCTP is loaded, and would answer packets that are for raw sockets"
        if named.backend == USERSPACE:
            return Choice(("udp",), ('backend="userspace" was named', loaded, "SCTP over UDP is left"))
        if named.userspace_only:
            cannot = f"the kernel's SCTP cannot follow {', '.join(named.userspace_only)}"
            return Choice(("udp",), (loaded, cannot, "SCTP over UDP is left"))
        native = "through the kernel, native SCTP needs no privilege"
        return Choice(
            ("kernel", "udp"), (loaded, native, "peers that have SCTP over UDP alone are asked over UDP, too")
        )
    absent = "the kernel's own SCTP is not loaded"
    if facts.raw_sockets:
        both = "this process may open raw sockets: native SCTP goes by them, with SCTP over UDP beside it"
        return Choice(("raw", "udp"), (absent, both))
    return Choice(("udp",), (absent, "this process may not open raw sockets (CAP_NET_RAW)", "SCTP over UDP is left"))


def host_facts() -> HostFacts:
    """The facts of this host and process, as they are now. Loads no kernel module."""
    return HostFacts(kernel_sctp=kernel_sctp.is_loaded(), raw_sockets=_may_open_raw_sockets())


def choose_here(named: Named | None = None) -> Choice:
    """The ways that this process takes on this host now. ``ValueError`` as ``preset_of_environment``."""
    preset = preset_of_environment()
    # Often the host makes no difference, and need not be asked.
    settled = choose(_NOTHING, named, preset)
    return settled if settled == choose(_EVERYTHING, named, preset) else choose(host_facts(), named, preset)


def preset_of_environment() -> Preset:
    """What SCTPX_LINK says, ``"auto"`` if it is not set. ``ValueError`` if it is none of the presets."""
    value = os.environ.get(ENVIRONMENT) or "auto"
    if value not in PRESETS:
        raise ValueError(f"{ENVIRONMENT} is {value!r}: not one of {', '.join(PRESETS)}")
    return value


_NOTHING: Final = HostFacts(kernel_sctp=False, raw_sockets=False)
_EVERYTHING: Final = HostFacts(kernel_sctp=True, raw_sockets=True)


def _may_open_raw_sockets() -> bool:
    """Asked by opening one that receives nothing: a capability may not hold in this network namespace."""
    if sys.platform != "linux":
        return False
    try:
        socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW).close()
    except OSError:
        return False
    return True
