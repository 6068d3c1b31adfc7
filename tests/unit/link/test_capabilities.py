"""What the system's UDP sockets can do."""

from __future__ import annotations

import socket
import sys
from dataclasses import astuple

import pytest

from sctpx.link import Capabilities, probe


def test_by_itself_nothing_is_possible() -> None:
    assert not any(astuple(Capabilities()))


def test_the_system_is_asked_once() -> None:
    assert probe() is probe()


def test_what_needs_messages_is_only_found_with_messages() -> None:
    assert probe().messages == hasattr(socket.socket, "recvmsg")
    assert probe().messages or not any(astuple(probe()))


@pytest.mark.skipif(sys.platform != "linux", reason="Linux's own")
def test_linux_has_an_error_queue_and_ecn() -> None:
    assert probe().error_queue
    assert probe().ecn
