"""How to get more of what a host could do for SCTP: for each thing that is missing, why it matters and what to type."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, final

from ...link import SCTP_TUNNELING_PORT
from .facts import LINUX, WINDOWS, HostReport
from .network import THE_KERNEL
from .words import kernel_works

_MODPROBE: Final = ("sudo modprobe sctp", "echo sctp | sudo tee /etc/modules-load.d/sctp.conf    # at each boot")


@final
@dataclass(frozen=True, slots=True)
class Advice:
    """One thing that could be had."""

    title: str
    why: str
    commands: tuple[str, ...] = ()
    """To type, or to write into a file."""


def advice(report: HostReport) -> list[Advice]:
    """What could be had here, native SCTP first."""
    return [*_native(report), *_udp(report), *_speed(report)]


# --- native SCTP ---


def _native(report: HostReport) -> Iterator[Advice]:
    if report.system.kind != LINUX or kernel_works(report.kernel):
        return
    if report.kernel.state == "loaded":
        why = f"the module is loaded, and a socket is refused here: {report.kernel.socket_error}"
        yield Advice(
            "The kernel's SCTP", f"{why}. Look at the seccomp profile and the security module of the container"
        )
        return
    if report.privileges.raw_ipv4:
        yield from _raw(report)
    yield _module(report)


def _raw(report: HostReport) -> Iterator[Advice]:
    privileges, system = report.privileges, report.system
    why = "with CAP_NET_RAW, peers are reached that speak SCTP without UDP, as most do; no module is needed"
    container = (
        "docker run --cap-add NET_RAW IMAGE",
        'securityContext: {capabilities: {add: ["NET_RAW"]}}    # Kubernetes, of the container',
    )
    service = ("AmbientCapabilities=CAP_NET_RAW    # systemd, of the service",)
    file = (f"sudo setcap cap_net_raw+ep {system.executable}    # for whoever may run this file",)
    title = "Native SCTP by raw sockets"
    if privileges.on_interpreter and privileges.no_new_privileges:
        ignored = (
            "The interpreter has the capability (setcap), but no_new_privs is set, and the kernel ignores it: run as "
            "root within the container, or allow privilege escalation (Kubernetes: allowPrivilegeEscalation: true)"
        )
        yield Advice(title, f"{why}. {ignored}")
    elif privileges.bounding is False:
        taken = "It was taken from this process for good (its bounding set): whoever starts it has to leave it there"
        yield Advice(title, f"{why}. {taken}", container + service)
    elif system.containers:
        yield Advice(
            title,
            f"{why}. In a container, root has it unless it was dropped; another user needs it on the interpreter, too",
            container + file,
        )
    else:
        yield Advice(title, why, file + service + container[:1])


def _module(report: HostReport) -> Advice:
    kernel = report.kernel
    why = "the kernel's SCTP needs no privilege, and all programs of the machine share it, those in containers, too"
    if not report.privileges.raw_ipv4:
        why += ". Raw sockets cannot be used beside it: associations that use them now would end"
    title = "Native SCTP by the kernel"
    if kernel.modules_locked:
        return Advice(title, f"{why}. No module can be loaded into this kernel as it runs: it takes another boot")
    if kernel.state == "available":
        blocked = f". It is kept from being loaded by {', '.join(kernel.blocked_by)}: take the line out"
        return Advice(title, why + (blocked if kernel.blocked_by else ""), _MODPROBE)
    if kernel.state == "unknown":
        return Advice(title, f"{why}. On the host, not in this container", _MODPROBE)
    missing = (
        "This kernel has no module on disk. Fedora and RHEL have it in kernel-modules-extra, Ubuntu's cloud kernels in "
        "linux-modules-extra; Debian's kernels bring it; other kernels are built with CONFIG_IP_SCTP"
    )
    return Advice(title, f"{why}. {missing}", _packages(report))


def _packages(report: HostReport) -> tuple[str, ...]:
    name = report.system.name.lower()
    if any(word in name for word in ("fedora", "red hat", "rocky", "alma", "centos", "oracle")):
        return ("sudo dnf install kernel-modules-extra", *_MODPROBE)
    if "ubuntu" in name:
        return (f"sudo apt-get install linux-modules-extra-{report.system.release}", *_MODPROBE)
    return ()


# --- UDP ---


def _udp(report: HostReport) -> Iterator[Advice]:
    port = SCTP_TUNNELING_PORT
    if kernel_works(report.kernel) and report.kernel.sysctls.get("udp_port") == "0":
        yield Advice(
            "Peers behind UDP, for the kernel's SCTP",
            "the kernel takes SCTP over UDP as well once it has a UDP port",
            (f"sudo sysctl net.sctp.udp_port={port}",),
        )
    holders = [holder for holder in report.network.port_holders if not holder.startswith(THE_KERNEL)]
    if holders:
        yield Advice(
            f"UDP port {port}",
            f"it is taken by {' and '.join(holders)}: another server of sctpx needs a UDP port of its own, which its "
            "peers have to know. Clients are not concerned",
            ("sctpx listen --udp-port 9900 ADDRESS PORT",),
        )


# --- speed ---


def _speed(report: HostReport) -> Iterator[Advice]:
    system, network = report.system, report.network
    if not system.compiled:
        compiler = "install a C compiler and Python's headers, then sctpx again"
        if system.compiler:
            compiler = f"{system.compiler} is here: with Python's headers, installing sctpx again compiles it"
        commands = ("sudo apt-get install gcc python3-dev    # Debian, Ubuntu",) if system.kind == LINUX else ()
        yield Advice(
            "Twice the speed", f"sctpx runs interpreted; compiled it is about twice as fast: {compiler}", commands
        )
    small = [
        name
        for name, got in (("rmem_max", network.receive_buffer), ("wmem_max", network.send_buffer))
        if got < network.buffer_wanted
    ]
    if system.kind == LINUX and small:
        yield Advice(
            "Larger socket buffers",
            "packets that come in a burst are lost where the buffer is full, and have to be sent again",
            tuple(f"sudo sysctl -w net.core.{name}={network.buffer_wanted}" for name in small),
        )
    if not system.uvloop and system.kind != WINDOWS:
        yield Advice(
            "A faster event loop", "asyncio programs gain with many associations", ("pip install 'sctpx[uvloop]'",)
        )
