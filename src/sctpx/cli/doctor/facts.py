"""What is known of a host, as values. Whoever finds them out, says what they mean or draws them shares only these.

``None`` is "this system does not tell", an empty text or tuple is "there is none". ``as_json`` of ``HostReport`` is
what ``--json`` prints.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal, TypeAlias, final

from ...sockapi.status import AddressReport
from ..report import report_json

LINUX: Final = "Linux"
WINDOWS: Final = "Windows"

ModuleState: TypeAlias = Literal["loaded", "available", "absent", "unknown", "unused"]
"""The kernel's own SCTP: loaded or built in; on disk and not loaded; not to be had; not to be told from here, as in a
container that does not see the modules of its host; of no use to sctpx, on other systems than Linux."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SystemFacts:
    """The operating system, Python, and sctpx in it."""

    sctpx: str
    """Version."""
    compiled: bool
    """The protocol runs compiled."""
    python: str
    """Version and implementation."""
    executable: str
    """The interpreter's file, symbolic links followed."""
    uvloop: str
    """Version, if it can be imported."""
    compiler: str
    """A C compiler."""
    kind: str
    """``Linux``, ``Darwin``, ``Windows``, ...: ``platform.system()``."""
    release: str
    """Of the kernel."""
    machine: str
    name: str
    """Of the operating system, for people."""
    containers: tuple[str, ...] = ()
    """Signs of a container or a virtual kernel, outermost first: ``Kubernetes``, ``Docker``, ``gVisor``, ``WSL``."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class KernelFacts:
    """The SCTP of the kernel."""

    state: ModuleState
    where: str = ""
    """The module's file, or ``built in``."""
    blocked_by: tuple[str, ...] = ()
    """Files of modprobe that keep the module from being loaded by itself, or at all."""
    modules_locked: bool = False
    """No module can be loaded into this kernel as it runs: it takes none, or ``kernel.modules_disabled`` is set."""
    socket_error: str = ""
    """Why this process gets no SCTP socket although the module is loaded."""
    sysctls: Mapping[str, str] = field(default_factory=dict)
    """``net.sctp.*`` by their last names; none while the module is not loaded."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PrivilegeFacts:
    """What this process may do, as far as raw sockets go."""

    user: int | None = None
    """The effective user id."""
    effective: bool | None = None
    """CAP_NET_RAW is among the effective capabilities, and so on for the others."""
    permitted: bool | None = None
    inheritable: bool | None = None
    bounding: bool | None = None
    ambient: bool | None = None
    on_interpreter: bool | None = None
    """The interpreter's file has cap_net_raw (``setcap``)."""
    no_new_privileges: bool | None = None
    """Capabilities of files are ignored (Kubernetes: ``allowPrivilegeEscalation: false``)."""
    user_namespace: bool | None = None
    """Users are mapped, as in rootless containers: capabilities hold for networks of this namespace alone."""
    raw_ipv4: str = ""
    """Why no raw socket for SCTP can be opened; ``""`` if one was."""
    raw_ipv6: str = ""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class InterfaceFacts:
    """An interface that has addresses."""

    name: str
    state: str
    """``up``, ``down``, ``unknown``; ``""`` where the system does not tell."""
    mtu: int | None
    addresses: tuple[str, ...]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkFacts:
    """UDP, socket buffers, interfaces."""

    gso: bool
    gro: bool
    df: bool
    """IP can be told not to fragment packets, so that path MTUs are discovered."""
    port_holders: tuple[str, ...]
    """Who has UDP port 9899, and where: ``process 4711 (python3) at 127.0.0.1, ::1``."""
    raw_users: tuple[str, ...]
    """Which processes receive SCTP by raw sockets."""
    buffer_wanted: int
    """Bytes that sctpx asks for each socket, each way."""
    receive_buffer: int
    """Bytes that it gets."""
    send_buffer: int
    interfaces: tuple[InterfaceFacts, ...]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceFacts:
    """What ``auto`` takes here: the answer of ``link.choice``."""

    preset: str
    """SCTPX_LINK, or ``auto``."""
    ways: tuple[str, ...]
    """The preferred one first."""
    reasons: tuple[str, ...]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PeerAddressFacts:
    """One address of a peer, from here."""

    address: str
    source: str = ""
    """Our address that packets leave from."""
    interface: str = ""
    mtu: int | None = None
    """The largest packet that leaves whole, bytes: of the interface, or of the path as far as the system knows it."""
    error: str = ""
    """Why nothing can be sent there."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """An INIT that a connect sends, if nothing has answered before."""

    after: float
    """Seconds from the beginning."""
    address: str
    way: str


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What a peer answered in one way."""

    way: str
    associated: bool
    """An association came up. It was aborted at once."""
    said: str
    """In a line."""
    report: tuple[AddressReport, ...] = ()
    """Of each address; the kernel has none."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PeerFacts:
    """A peer, from here."""

    asked: str
    """As it was given."""
    addresses: tuple[PeerAddressFacts, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    """In the order of a connect."""
    probes: tuple[Probe, ...] = ()
    error: str = ""
    """Why it has no addresses."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class HostReport:
    """All of it."""

    system: SystemFacts
    kernel: KernelFacts
    privileges: PrivilegeFacts
    network: NetworkFacts
    choice: ChoiceFacts
    peers: tuple[PeerFacts, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """For ``--json``: its fields, and for each probe the report as other commands have it."""
        values = asdict(self)
        for peer, shown in zip(self.peers, values["peers"], strict=True):
            for probe, its in zip(peer.probes, shown["probes"], strict=True):
                its["report"] = report_json(probe.report)
        return values
