"""What a report means, in words: sections of labelled lines, each good, bad or neither. No I/O, no drawing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, final

from ...link import SCTP_TUNNELING_PORT
from ..output import byte_text
from .facts import LINUX, HostReport, KernelFacts, PrivilegeFacts

Mark: TypeAlias = Literal["yes", "no", ""]

WAYS: Final = {
    "kernel": "native SCTP (IP protocol 132) by the kernel",
    "raw": "native SCTP (IP protocol 132) by raw sockets",
    "udp": f"SCTP over UDP, port {SCTP_TUNNELING_PORT}",
}
_SHOWN: Final = {
    "udp_port": "the UDP port where the kernel receives SCTP over UDP; 0: none",
    "encap_port": "the UDP port where the kernel sends SCTP over UDP, unless a program says otherwise; 0: without UDP",
    "rto_initial": "ms",
    "rto_min": "ms",
    "rto_max": "ms",
    "hb_interval": "ms from one HEARTBEAT to the next",
    "path_max_retrans": "timeouts in a row until a path is inactive",
    "association_max_retrans": "timeouts in a row until an association ends",
    "max_init_retransmits": "INITs again until a connect fails",
    "addr_scope_policy": "0: peers are told all addresses; 1: those in their scope",
}
"""The sysctls of net.sctp that people are asked about, and what they mean."""


@final
@dataclass(frozen=True, slots=True)
class Line:
    """One thing that is known."""

    label: str
    text: str
    mark: Mark = ""


@final
@dataclass(frozen=True, slots=True)
class Section:
    """Lines under a title."""

    title: str
    lines: tuple[Line, ...]


def sections(report: HostReport) -> list[Section]:
    """The report but for interfaces and peers, which are tables, and for the advice."""
    found = [
        Section("This host", tuple(_host(report))),
        Section("Ways to carry SCTP here", tuple(_ways(report))),
        Section("What auto takes", tuple(_choice(report))),
    ]
    if report.system.kind == LINUX:
        found.append(Section("The privilege for raw sockets", tuple(_privileges(report.privileges))))
    if report.kernel.sysctls:
        found.append(Section("Settings of the kernel's SCTP (net.sctp)", tuple(_sysctls(report.kernel))))
    return found


def _host(report: HostReport) -> Iterator[Line]:
    system = report.system
    yield Line("sctpx", f"{system.sctpx}, {'compiled' if system.compiled else 'interpreted'}")
    yield Line("Python", f"{system.python}, {system.executable}")
    yield Line("event loop", f"uvloop {system.uvloop} is installed" if system.uvloop else "asyncio's own")
    yield Line("system", f"{system.name}, {system.kind} {system.release}, {system.machine}")
    if system.containers:
        yield Line("container", ", ".join(system.containers))


def _ways(report: HostReport) -> Iterator[Line]:
    kernel, privileges = report.kernel, report.privileges
    yield Line("kernel", _kernel_text(kernel, report.system.kind), _mark(kernel_works(kernel)))
    yield Line("raw", _raw_text(report), _mark(raw_works(report)))
    yield Line("udp", _udp_text(report), "yes")
    if raw_works(report) and privileges.raw_ipv6:
        yield Line("", f"raw sockets for IPv6: {privileges.raw_ipv6}")


def kernel_works(kernel: KernelFacts) -> bool:
    """This process can use the kernel's SCTP."""
    return kernel.state == "loaded" and not kernel.socket_error


def raw_works(report: HostReport) -> bool:
    """This process can have raw sockets, and nobody answers in their stead."""
    return not report.privileges.raw_ipv4 and report.kernel.state != "loaded"


def usable_ways(report: HostReport) -> tuple[str, ...]:
    """The ways that this process can go, whatever ``auto`` takes."""
    works = {"kernel": kernel_works(report.kernel), "raw": raw_works(report), "udp": True}
    return tuple(way for way, can in works.items() if can)


def ways_taken(report: HostReport) -> tuple[str, ...]:
    """The ways of the choice that work here: a call goes these, and fails if there are none."""
    return tuple(way for way in report.choice.ways if way in usable_ways(report))


def _mark(works: bool) -> Mark:
    return "yes" if works else "no"


def _kernel_text(kernel: KernelFacts, kind: str) -> str:
    what = WAYS["kernel"]
    if kernel.state == "loaded":
        if kernel.socket_error:
            return f"{what}: the module is loaded, but this process gets no socket: {kernel.socket_error}"
        return f"{what}: {'it is built in' if kernel.where == 'built in' else 'the module sctp is loaded'}"
    if kernel.state == "available":
        return f"{what}: the module sctp is not loaded; it is on disk, {kernel.where}"
    if kernel.state == "absent":
        modules = "and takes no modules" if kernel.modules_locked else "and there is no module on disk"
        return f"{what}: this kernel has no SCTP, {modules}"
    if kernel.state == "unknown":
        return f"{what}: not loaded; whether the host has the module cannot be seen from here"
    return f"{what}: sctpx does this on Linux only, and this is {kind}"


def _raw_text(report: HostReport) -> str:
    what = WAYS["raw"]
    if report.system.kind != LINUX:
        return f"{what}: sctpx does this on Linux only"
    if report.privileges.raw_ipv4:
        return f"{what}: this process may not open raw sockets ({report.privileges.raw_ipv4})"
    if report.kernel.state == "loaded":
        return f"{what}: not beside the kernel's own SCTP, which would abort its associations"
    others = report.network.raw_users
    beside = f"; raw sockets for SCTP are also open in {', '.join(others)}" if others else ""
    return f"{what}: this process may open raw sockets{beside}"


def _udp_text(report: HostReport) -> str:
    network = report.network
    offload = [name for name, has in (("GSO", network.gso), ("GRO", network.gro)) if has]
    port = f"port {SCTP_TUNNELING_PORT} is taken by {' and '.join(network.port_holders)}"
    if not network.port_holders:
        port = f"port {SCTP_TUNNELING_PORT} is free"
    sizes = "discovered for each path" if network.df else "at most 1500 bytes, which IP may fragment"
    return (
        f"SCTP over UDP: needs no privilege; {port}; segmentation offload: {', '.join(offload) or 'none'}; "
        f"packet sizes: {sizes}"
    )


def _choice(report: HostReport) -> Iterator[Line]:
    choice = report.choice
    yield Line("it takes", ", then ".join(choice.ways))
    for index, reason in enumerate(choice.reasons):
        yield Line("" if index else "because", reason)
    taken = ways_taken(report)
    for way in choice.ways:
        if way not in usable_ways(report):
            yield Line("but", f"{way} does not work here: {'it is left out' if taken else 'the call fails'}", "no")


def _privileges(privileges: PrivilegeFacts) -> Iterator[Line]:
    if privileges.user is not None:
        yield Line("user", "root" if privileges.user == 0 else f"user id {privileges.user}, not root")
    sets = ("effective", "permitted", "inheritable", "bounding", "ambient")
    known = {name: getattr(privileges, name) for name in sets}
    if any(value is not None for value in known.values()):
        held = [name for name, value in known.items() if value]
        yield Line("CAP_NET_RAW", f"in these sets: {', '.join(held)}" if held else "in no set of this process")
    if privileges.on_interpreter:
        yield Line("interpreter", "its file has the capability (setcap)")
    if privileges.no_new_privileges:
        yield Line("no_new_privs", "set: capabilities of files are ignored")
    if privileges.user_namespace:
        yield Line("users", "mapped, as in rootless containers: capabilities hold within this user namespace")
    for name, refusal in (("IPv4", privileges.raw_ipv4), ("IPv6", privileges.raw_ipv6)):
        yield Line(f"raw {name}", refusal or "a raw socket was opened, and closed again", _mark(not refusal))


def _sysctls(kernel: KernelFacts) -> Iterator[Line]:
    for name, meaning in _SHOWN.items():
        if name in kernel.sysctls:
            unit = f" {meaning}" if meaning.startswith("ms") else f"  ({meaning})"
            yield Line(name, f"{kernel.sysctls[name]}{unit}")


def buffer_text(report: HostReport) -> str:
    """What sockets get, in a line."""
    network = report.network
    receive, send, wanted = map(byte_text, (network.receive_buffer, network.send_buffer, network.buffer_wanted))
    return f"a socket gets {receive} to receive and {send} to send; sctpx asks for {wanted}"
