"""CPython's own tests of SCTP sockets, run on sctpx: they come with Python, in ``test.test_socket``.

    python -m tests.interop.cpython_sockets

runs them in this process with ``socket.socket`` replaced, and prints what became of them as JSON. The tests look at
``socket.socket`` when they are imported, so that it is replaced before that, and for good.
"""

from __future__ import annotations

import importlib
import json
import socket
import sys
import unittest
from typing import Any

import sctpx

CLASSES = ("SendmsgSCTPStreamTest", "RecvmsgSCTPStreamTest", "RecvmsgIntoSCTPStreamTest")


def free_udp_port() -> int:
    """A port for all SCTP sockets of the tests, which know nothing of UDP."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.bind(("", 0))
        port: int = asking.getsockname()[1]
        return port


def replace_sockets(udp_port: int) -> None:
    """Let ``socket.socket`` make SCTP sockets here, whatever the kernel has."""
    original: Any = socket.socket

    class Socket(original):  # type: ignore[misc]
        def __new__(cls, family: int = -1, type: int = -1, proto: int = -1, *arguments: Any, **more: Any) -> Any:  # noqa: A002
            if proto == sctpx.IPPROTO_SCTP:
                return sctpx.socket(family, type, proto, udp_port=udp_port, peer_udp_port=udp_port)
            return original.__new__(cls, family, type, proto, *arguments, **more)

    socket.socket = Socket  # type: ignore[misc]


def run() -> dict[str, Any]:
    """How many tests ran, and the names of those that failed or were skipped, with the reason."""
    udp_port = free_udp_port()
    replace_sockets(udp_port)
    test_socket = importlib.import_module("test.test_socket")
    loader = unittest.defaultTestLoader
    suite = unittest.TestSuite(loader.loadTestsFromTestCase(getattr(test_socket, name)) for name in CLASSES)
    # Each test waits until there are no more threads than before: with this socket the I/O thread is there all along.
    with sctpx.socket(udp_port=udp_port) as lasting:
        lasting.bind(("127.0.0.1", 0))
        result = unittest.TextTestRunner(stream=sys.stderr).run(suite)
    return {
        "ran": result.testsRun,
        "failed": {test.id(): reason for test, reason in (*result.failures, *result.errors)},
        "skipped": {test.id(): reason for test, reason in result.skipped},
    }


if __name__ == "__main__":
    json.dump(run(), sys.stdout, indent=2)
