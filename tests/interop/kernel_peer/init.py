"""The first process of the guest: sets the guest's network up, then runs what the host asks for.

The guest sees the host's files, read-only, so that this runs in the very Python that runs the tests. The host gives its
wishes in a file with a JSON object: modules to load, links to set up, values of sysctl. Each TCP connection to the
control address is one command: a JSON line with its ``argv`` comes in, behind it its input, each line a JSON string.
Each line of its output goes out as a JSON string, and its exit status as a JSON number ends the connection. A
connection that the host closes ends its command.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, Any

SIOCETHTOOL = 0x8946
ETHTOOL_OFF = (0x24, 0x1F, 0x2C)
"""ETHTOOL_SGSO, ETHTOOL_STSO, ETHTOOL_SGRO."""
LIBC = ctypes.CDLL(None, use_errno=True)
MOUNTS = [("proc", "/proc"), ("sysfs", "/sys"), ("devtmpfs", "/dev"), ("tmpfs", "/run")]
"""Not over /tmp: the project may be there."""
ENVIRONMENT = {
    "PATH": "/usr/bin:/usr/sbin:/bin:/sbin",
    "HOME": "/run",
    "TMPDIR": "/run",
    "PYTHONDONTWRITEBYTECODE": "1",
}


def say(what: str) -> None:
    """Tell the host, on the console."""
    sys.stdout.write(f"init: {what}\n")
    sys.stdout.flush()


def mount_all() -> None:
    for kind, place in MOUNTS:
        if LIBC.mount(kind.encode(), place.encode(), kind.encode(), 0, None) < 0:
            say(f"mount {place}: {os.strerror(ctypes.get_errno())}")


def load(modules: list[str]) -> None:
    for name in modules:
        data = Path(name).read_bytes()
        if LIBC.syscall(175, data, ctypes.c_ulong(len(data)), b"") < 0:  # init_module of x86-64
            say(f"module {name}: {os.strerror(ctypes.get_errno())}")


def send_packets_whole() -> None:
    """Switch segmentation offload off: the tap driver of user-mode Linux drops SCTP packets that were built as one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        for name in os.listdir("/sys/class/net"):
            for command in ETHTOOL_OFF:
                value = ctypes.create_string_buffer(struct.pack("=II", command, 0))
                request = struct.pack("16sP", name.encode(), ctypes.addressof(value)).ljust(40, b"\0")
                with contextlib.suppress(OSError):
                    fcntl.ioctl(asked, SIOCETHTOOL, request)


def feed(process: subprocess.Popen[str], lines: IO[str]) -> None:
    """Give a command its input, and end it when there will be no more."""
    assert process.stdin is not None
    with contextlib.suppress(OSError, ValueError):
        for line in lines:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(json.loads(line) + "\n")
                process.stdin.flush()
    process.kill()


def run(connection: socket.socket) -> None:
    """One command, from its JSON line to its exit status."""
    with connection, connection.makefile("r") as wishes, connection.makefile("w") as wire:
        asked: dict[str, Any] = json.loads(wishes.readline())
        process = subprocess.Popen(
            asked["argv"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=asked["cwd"],
            env={**ENVIRONMENT, **asked["env"]},
        )
        assert process.stdout is not None
        feeding = threading.Thread(target=feed, args=(process, wishes), daemon=True)
        feeding.start()
        try:
            for line in process.stdout:
                wire.write(json.dumps(line.rstrip("\n")) + "\n")
                wire.flush()
            wire.write(f"{process.wait()}\n")
            wire.flush()
        except OSError:
            process.kill()
            process.wait()
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
        feeding.join()


def main() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.environ.update(ENVIRONMENT)
    wishes: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text())
    mount_all()
    load(wishes["modules"])
    for name, value in wishes["early"].items():
        Path("/proc/sys", *name.split(".")).write_text(str(value))
    batch = "\n".join(wishes["network"]) + "\n"
    subprocess.run(["ip", "-force", "-batch", "-"], input=batch, text=True, check=False)
    send_packets_whole()
    for name, value in wishes["sysctl"].items():
        Path("/proc/sys", *name.split(".")).write_text(str(value))
    address, port = wishes["control"]
    server = socket.create_server((address, port))
    say("ready")
    while True:
        connection, _ = server.accept()
        threading.Thread(target=run, args=(connection,), daemon=True).start()


if __name__ == "__main__":
    main()
