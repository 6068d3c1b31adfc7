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
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self

ROOT: Final = Path(__file__).parents[3]
CACHE: Final = ROOT / "build" / "interop" / "user-mode-linux"
PACKAGE: Final = "user-mode-linux"
LINKS: Final = (1, 2)
CONTROL: Final = ("169.254.77.2", 7700)
HOST_ADDRESSES: Final = [f"10.77.{link}.1" for link in LINKS]
GUEST_ADDRESSES: Final = [f"10.77.{link}.2" for link in LINKS]
HOST_ADDRESSES_6: Final = [f"fd77:{link}::1" for link in LINKS]
GUEST_ADDRESSES_6: Final = [f"fd77:{link}::2" for link in LINKS]
UDP_PORT: Final = 9899
"""Where the guest takes SCTP packets in UDP (RFC 6951), besides those of IP protocol 132."""
BOOT_TIMEOUT: Final = 60.0
PATIENCE: Final = 60.0
"""Seconds that a test waits for one line of a program at the most."""
_CLONE_NEWNET: Final = 0x40000000


class GuestError(Exception):
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
    if not (CACHE / "usr/bin/linux.uml").exists():
        if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
            raise GuestError(f"the package {PACKAGE} is downloaded with apt-get, which is not here")
        CACHE.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE.parent) as place:
            download = ("apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", PACKAGE)
            try:
                _run(*download, cwd=place)
            except GuestError:  # The lists of packages may be old, or not there.
                _run("apt-get", "-q", "update")
                _run(*download, cwd=place)
            [archive] = Path(place).glob("*.deb")
            _run("dpkg-deb", "-x", str(archive), f"{place}/tree")
            shutil.rmtree(CACHE, ignore_errors=True)
            Path(place, "tree").rename(CACHE)
    program = CACHE / "usr/bin/linux.uml"
    program.chmod(0o755)
    [modules] = (CACHE / "usr/lib/uml/modules").iterdir()
    return program, modules


def _run(*argv: str, cwd: str | None = None, given: str | None = None) -> str:
    try:
        done = subprocess.run(argv, capture_output=True, text=True, cwd=cwd, input=given, timeout=300, check=False)
    except subprocess.TimeoutExpired:
        raise GuestError(f"{argv[0]} took too long") from None
    if done.returncode:
        raise GuestError(f"{' '.join(argv)}: {(done.stderr or done.stdout).strip()[-500:]}")
    return done.stdout


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


class Program:
    """A program on one of both sides, line by line. Leaving its context ends it."""

    def __init__(
        self, name: str, lines: IO[str], process: subprocess.Popen[str] | None, wire: socket.socket | None
    ) -> None:
        self._name = name
        self._lines = lines
        self._process = process
        self._wire = wire
        self._told: list[str] = []
        self._timer = threading.Timer(PATIENCE * 2, self.end)
        self._timer.daemon = True
        self._timer.start()

    def line(self) -> str:
        """The next line of output. ``AssertionError`` with all of it when the program has ended."""
        read = self._next()
        if isinstance(read, int):
            raise AssertionError(f"{self._name} ended with {read}:\n" + "\n".join(self._told))
        return read

    def _next(self) -> str | int:
        """The next line, or the exit status behind the last one."""
        read: Any = self._lines.readline()
        if self._process is None:
            read = json.loads(read) if read else -1
        elif not read:
            read = self._process.wait(10)
        if isinstance(read, int):
            return read
        self._told.append(read.rstrip("\n"))
        return self._told[-1]

    def finish(self) -> tuple[int, str]:
        """Its exit status, and all that it has said, once it has ended."""
        while not isinstance(read := self._next(), int):
            pass
        return read, "\n".join(self._told)

    def result(self) -> Any:
        """The JSON value that stands alone in the next line which has one. Other lines are kept for failures."""
        while True:
            try:
                return json.loads(self.line())
            except json.JSONDecodeError:
                continue

    def end(self) -> None:
        """End it, whatever it does."""
        if self._wire is not None:
            with contextlib.suppress(OSError):
                self._wire.shutdown(socket.SHUT_RDWR)
        if self._process is not None:
            self._process.kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._timer.cancel()
        self.end()
        self._lines.close()
        if self._wire is not None:
            self._wire.close()
        if self._process is not None:
            self._process.wait(10)


class Guest:
    """A guest that runs, and the namespace beside it."""

    def __init__(self) -> None:
        check_host()
        program, modules = kernel()
        self.namespace = f"sctpx-guest-{os.getpid()}"
        self._directory = tempfile.TemporaryDirectory(prefix="sctpx-guest-")
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self._make_network()
            self._boot(program, modules)
        except BaseException:
            self.close()
            raise

    def _make_network(self) -> None:
        _run("ip", "netns", "add", self.namespace)
        commands = ["link set lo up"]
        for link in LINKS:
            commands += [
                f"tuntap add dev l{link} mode tap",
                f"addr add 10.77.{link}.1/24 dev l{link}",
                f"addr add fd77:{link}::1/64 dev l{link} nodad",
                f"link set l{link} up",
            ]
        commands += ["tuntap add dev ctl mode tap", "addr add 169.254.77.1/30 dev ctl", "link set ctl up"]
        _run("ip", "-n", self.namespace, "-batch", "-", given="\n".join(commands) + "\n")

    def _wishes(self, modules: Path) -> str:
        """What ``init`` is to do, for the command line."""
        names = [f"l{link}" for link in LINKS] + ["ctl"]
        network = [f"link set vec{number} name {name}" for number, name in enumerate(names)]
        network += ["link set lo up", "addr add 169.254.77.2/30 dev ctl", "link set ctl up"]
        for link in LINKS:
            network += [
                f"addr add 10.77.{link}.2/24 dev l{link}",
                f"link set l{link} up",
                f"addr add fd77:{link}::2/64 dev l{link} nodad",
            ]
        wishes = {
            "modules": [str(file) for file in in_load_order(modules, ["ipv6", "hmac", "sctp", "sctp_diag"])],
            "network": network,
            # A packet arrives by the link that its address belongs to.
            "early": {"net.ipv4.conf.all.arp_ignore": 1},
            "sysctl": {"net.sctp.udp_port": UDP_PORT},
            "control": CONTROL,
        }
        return json.dumps(wishes).encode().hex()

    def _boot(self, program: Path, modules: Path) -> None:
        place = self._directory.name
        argv = [str(program), "mem=192M", "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro"]
        argv += [f"uml_dir={place}", "umid=sctpx", "con=null", "con0=null,fd:1", "ssl=null", "panic=-1", "quiet"]
        argv += ["loglevel=3", "random.trust_cpu=on"]
        for number, name in enumerate([*(f"l{link}" for link in LINKS), "ctl"]):
            argv.append(f"vec{number}:transport=tap,ifname={name},mac=52:54:00:4b:50:{number + 1:02x},depth=64,gro=0")
        argv += [f"init={os.path.realpath(sys.executable)}", "--", "-S", str(Path(__file__).with_name("init.py"))]
        argv.append(self._wishes(modules))
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

    # --- programs ---

    def start(self, *argv: str, env: dict[str, str] | None = None) -> Program:
        """A program in the guest."""
        wire = self._connect()
        lines = wire.makefile("rw")
        lines.write(json.dumps({"argv": argv, "cwd": str(ROOT), "env": env or {}}) + "\n")
        lines.flush()
        return Program(f"{' '.join(argv)} in the guest", lines, None, wire)

    def start_beside(self, *argv: str, env: dict[str, str] | None = None) -> Program:
        """A program in the namespace beside the guest."""
        process = subprocess.Popen(
            ["ip", "netns", "exec", self.namespace, *argv],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=ROOT,
            env={**os.environ, **(env or {})},
        )
        assert process.stdout is not None
        return Program(f"{' '.join(argv)} beside the guest", process.stdout, process, None)

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
