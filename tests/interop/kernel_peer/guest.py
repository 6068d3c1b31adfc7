"""Boots the guest, and runs programs in it and beside it.

The guest is Debian's ``user-mode-linux``: a Linux kernel that is an ordinary process, so that neither a virtual machine
nor a module of the host's kernel is needed. The package is downloaded and unpacked into ``build/interop``, not
installed. The guest's root file system is the host's, read-only. Two links with tap devices join the guest to a network
namespace, in which the other side of a test runs; a third link is for control. No packet leaves the namespace.

It takes root, Linux on x86-64, ``/dev/net/tun``, ``ip`` (iproute2), and apt for the first time. ``GuestError`` says
what is missing.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tests.interop.kernel_peer.packages import CommandError, run, unpacked
from tests.interop.kernel_peer.programs import PATIENCE, Program
from tests.namespaces import Host

ROOT: Final = Path(__file__).parents[3]
PACKAGE: Final = "user-mode-linux"
LINKS: Final = (1, 2)
CONTROL: Final = ("169.254.77.2", 7700)
HOST_ADDRESSES: Final = [f"10.77.{link}.1" for link in LINKS]
GUEST_ADDRESSES: Final = [f"10.77.{link}.2" for link in LINKS]
HOST_ADDRESSES_6: Final = [f"fd77:{link}::1" for link in LINKS]
GUEST_ADDRESSES_6: Final = [f"fd77:{link}::2" for link in LINKS]
MODULES: Final = ["ipv6", "hmac", "sctp", "sctp_diag", "sch_netem", "sch_ingress", "cls_matchall", "act_mirred", "ifb"]
UDP_PORT: Final = 9899
"""Where the guest takes SCTP packets in UDP (RFC 6951), besides those of IP protocol 132."""
BOOT_TIMEOUT: Final = 60.0
_CLONE_NEWNET: Final = 0x40000000


class GuestError(CommandError):
    """There can be no guest here; the text says what is missing."""


def check_host() -> None:
    """``GuestError`` if the guest cannot run here, whatever is installed."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        raise GuestError("user-mode Linux is for Linux on x86-64")
    if os.geteuid() != 0:
        raise GuestError("network namespaces and tap devices take root")
    if not Path("/dev/net/tun").exists():
        raise GuestError("there is no /dev/net/tun (docker run --device /dev/net/tun --cap-add NET_ADMIN)")
    if shutil.which("ip") is None:
        raise GuestError("there is no ip command: apt-get install iproute2")


def kernel() -> tuple[Path, Path]:
    """The kernel's program and the directory of its modules, downloaded if they are not there yet."""
    tree = unpacked(PACKAGE)
    program = tree / "usr/bin/linux.uml"
    program.chmod(0o755)
    [modules] = (tree / "usr/lib/uml/modules").iterdir()
    return program, modules


def in_load_order(modules: Path, names: Sequence[str]) -> list[Path]:
    """The files of some modules, each behind those it needs, by the dependencies that stand in them."""
    files = {file.name.partition(".")[0].replace("-", "_"): file for file in modules.rglob("*.ko")}
    order: list[Path] = []

    def visit(name: str) -> None:
        file = files.get(name.replace("-", "_"))
        if file is None or file in order:  # Built in, or there already.
            return
        fields = file.read_bytes().split(b"\0")
        for field in fields:
            if field.startswith(b"depends="):
                for needed in filter(None, field.removeprefix(b"depends=").decode().split(",")):
                    visit(needed)
        order.append(file)

    for name in names:
        visit(name)
    return order


def hardware(end: int, link: int) -> str:
    """The hardware address at the end of a link: 0 outside of the guest, 1 in the guest, 2 of nobody."""
    return f"52:54:00:4b:5{end}:{link:02x}"


def neighbours(link: int, number: int, address: str) -> list[str]:
    """Commands of ``ip`` by which the other end of a link has this hardware address, and is never asked for it."""
    ips = (f"10.77.{link}.{number}", f"fd77:{link}::{number}")
    return [f"neigh replace {ip} lladdr {address} dev l{link} nud permanent" for ip in ips]


class Guest:
    """A guest that runs, and the namespace beside it."""

    def __init__(self) -> None:
        check_host()
        program, modules = kernel()
        self.namespace = f"sctpx-guest-{os.getpid()}"
        self._directory = tempfile.TemporaryDirectory(prefix="sctpx-guest-")
        self._process: subprocess.Popen[bytes] | None = None
        self._cut: set[int] = set()
        self._impaired: set[int] = set()
        try:
            self._make_network()
            self._boot(program, modules)
        except BaseException:
            self.close()
            raise

    def _make_network(self) -> None:
        run("ip", "netns", "add", self.namespace)
        commands = ["link set lo up"]
        for link in LINKS:
            commands += [
                f"tuntap add dev l{link} mode tap",
                f"link set l{link} address {hardware(0, link)}",
                f"addr add 10.77.{link}.1/24 dev l{link}",
                f"addr add fd77:{link}::1/64 dev l{link} nodad",
                f"link set l{link} up",
                *neighbours(link, 2, hardware(1, link)),
            ]
        commands += ["tuntap add dev ctl mode tap", "addr add 169.254.77.1/30 dev ctl", "link set ctl up"]
        self._ip(*commands)

    def _wishes(self, modules: Path) -> str:
        """What ``init`` is to do."""
        names = [f"l{link}" for link in LINKS] + ["ctl"]
        network = [f"link set vec{number} name {name}" for number, name in enumerate(names)]
        network += ["link set lo up", "addr add 169.254.77.2/30 dev ctl", "link set ctl up"]
        for link in LINKS:
            network += [
                f"addr add 10.77.{link}.2/24 dev l{link}",
                f"link set l{link} up",
                f"addr add fd77:{link}::2/64 dev l{link} nodad",
                *neighbours(link, 1, hardware(0, link)),
            ]
        wishes = {
            "modules": [str(file) for file in in_load_order(modules, MODULES)],
            "network": network,
            # A packet arrives by the link that its address belongs to.
            "early": {"net.ipv4.conf.all.arp_ignore": 1},
            "sysctl": {"net.sctp.udp_port": UDP_PORT, "net.core.wmem_max": 8 << 20, "net.core.rmem_max": 8 << 20},
            "control": CONTROL,
        }
        return json.dumps(wishes)

    def _boot(self, program: Path, modules: Path) -> None:
        place = self._directory.name
        argv = [str(program), "mem=192M", "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro"]
        argv += [f"uml_dir={place}", "umid=sctpx", "con=null", "con0=null,fd:1", "ssl=null", "panic=-1", "quiet"]
        argv += ["loglevel=3", "random.trust_cpu=on"]
        for number, name in enumerate([*(f"l{link}" for link in LINKS), "ctl"]):
            argv.append(f"vec{number}:transport=tap,ifname={name},mac={hardware(1, number + 1)},depth=64,gro=0")
        argv += [f"init={os.path.realpath(sys.executable)}", "--", "-S", str(Path(__file__).with_name("init.py"))]
        wishes = Path(place, "wishes.json")
        wishes.write_text(self._wishes(modules))
        argv.append(str(wishes))
        console = Path(place, "console")
        with console.open("wb") as log:
            self._process = subprocess.Popen(
                ["ip", "netns", "exec", self.namespace, *argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        limit = time.monotonic() + BOOT_TIMEOUT
        while "init: ready" not in (said := console.read_text(errors="replace")):
            if self._process.poll() is not None or time.monotonic() > limit:
                raise GuestError(f"the guest did not come up:\n{said[-2000:]}")
            time.sleep(0.05)

    # --- links ---

    def cut(self, link: int) -> None:
        """What is sent on a link vanishes from now on, both ways, and neither side is told."""
        self._cut.add(link)
        self._ip(f"link set l{link} address {hardware(2, link)}", *neighbours(link, 2, hardware(2, link)))

    def mend(self, link: int) -> None:
        """A link that was cut carries packets again."""
        self._cut.discard(link)
        self._ip(f"link set l{link} address {hardware(0, link)}", *neighbours(link, 2, hardware(1, link)))

    def impair(self, link: int, *how: str) -> None:
        """Packets of a link are lost and late from now on, both ways: ``how`` are the words of tc-netem(8)."""
        self._impaired.add(link)
        name, arriving = f"l{link}", f"ifb{link}"
        commands = f"""
            ip link show {arriving} >/dev/null 2>&1 || ip link add {arriving} type ifb  # The module may have made it.
            ip link set {arriving} up
            tc qdisc add dev {name} ingress
            tc filter add dev {name} parent ffff: matchall action mirred egress redirect dev {arriving}
            tc qdisc add dev {arriving} root netem {" ".join(how)}
            tc qdisc add dev {name} root netem {" ".join(how)}
        """
        self.run("sh", "-ec", commands)

    def mend_all(self) -> None:
        """All links are as they were in the beginning."""
        for link in list(self._cut):
            self.mend(link)
        for link in self._impaired:
            self.run(
                "sh", "-c", f"tc qdisc del dev l{link} root; tc qdisc del dev l{link} ingress; ip link del ifb{link}"
            )
        self._impaired.clear()

    def _ip(self, *commands: str) -> None:
        run("ip", "-n", self.namespace, "-batch", "-", given="\n".join(commands) + "\n")

    # --- programs ---

    def start(self, *argv: str, env: dict[str, str] | None = None, lifetime: float = 2 * PATIENCE) -> Program:
        """A program in the guest."""
        wire = self._connect()
        wire.sendall(json.dumps({"argv": argv, "cwd": str(ROOT), "env": env or {}}).encode() + b"\n")
        return Program(f"{' '.join(argv)} in the guest", None, wire, lifetime)

    def run(self, *argv: str) -> str:
        """What a command in the guest says. ``GuestError`` if it fails."""
        with self.start(*argv) as program:
            status, said = program.finish()
        if status:
            raise GuestError(f"{' '.join(argv)} in the guest: {said}")
        return said

    @contextmanager
    def entered(self) -> Iterator[None]:
        """This thread is in the namespace beside the guest, and so is what it opens and starts."""
        with Host(self.namespace, HOST_ADDRESSES, HOST_ADDRESSES_6).entered():
            yield

    def start_beside(self, *argv: str, env: dict[str, str] | None = None) -> Program:
        """A program in the namespace beside the guest."""
        process = subprocess.Popen(
            ["ip", "netns", "exec", self.namespace, *argv],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=ROOT,
            env={**os.environ, **(env or {})},
        )
        return Program(f"{' '.join(argv)} beside the guest", process, None)

    def _connect(self) -> socket.socket:
        """A control connection: made by a thread that is in the namespace, which the socket stays in."""
        found: list[socket.socket | OSError] = []

        def connect() -> None:
            try:
                _enter(self.namespace)
                found.append(socket.create_connection(CONTROL, PATIENCE))
            except OSError as error:
                found.append(error)

        thread = threading.Thread(target=connect)
        thread.start()
        thread.join()
        [wire] = found
        if isinstance(wire, OSError):
            raise GuestError(f"the guest does not answer: {wire}")
        return wire

    # --- the end ---

    def close(self) -> None:
        """End the guest and remove its namespace."""
        if self._process is not None:
            # The kernel and all its helpers are one session, which was begun here.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(10)
        subprocess.run(["ip", "netns", "del", self.namespace], capture_output=True, check=False)
        self._directory.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _enter(namespace: str) -> None:
    """Move the calling thread into a network namespace."""
    with Path("/run/netns", namespace).open("rb") as file:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(file.fileno(), _CLONE_NEWNET) < 0:
            raise OSError(ctypes.get_errno(), "setns")
