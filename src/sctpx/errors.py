"""What sctpx raises. Everything here is an ordinary built-in exception as well.

A caller's mistake is an ``OSError`` with the errno the sockets API names for it. What the peer or the
network did reaches the user as one of the classes below, never as a parsing error.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from typing import Any


class AssociationClosed(EOFError):
    """The association has ended gracefully: there is nothing more to receive (RFC 9260 section 9.2)."""


class AssociationAborted(ConnectionResetError):
    """The association was aborted, by the peer or by this side (RFC 9260 section 9.1).

    ``causes`` are the error causes the ABORT carried, each ``(code, value)`` with the code of RFC 9260
    section 3.3.10 and the cause-specific bytes.
    """

    def __init__(self, message: str, causes: Sequence[tuple[int, bytes]] = ()) -> None:
        super().__init__(errno.ECONNRESET, message)
        self.causes: tuple[tuple[int, bytes], ...] = tuple(causes)


class AssociationRestarted(AssociationAborted):
    """The peer restarted, and ``AssociationConfig.on_restart`` is ``"end"`` (RFC 9260 section 5.2.4 A).

    The peer has forgotten the association and all that belonged to it. If it has set another one up, that arrives as
    any other: at a server's handler, at ``accept``.
    """

    def __init__(self) -> None:
        super().__init__("the association is over: the peer restarted")


class AssociationLost(TimeoutError):
    """The peer stopped answering: Association.Max.Retrans was exceeded (RFC 9260 section 8.1)."""

    def __init__(self, message: str) -> None:
        super().__init__(errno.ETIMEDOUT, message)


class ConnectInProgress(BlockingIOError):
    """The association is being set up, and the socket does not wait: ``EINPROGRESS``.

    ``assoc_id`` is the id it will have.
    """

    def __init__(self, assoc_id: int) -> None:
        super().__init__(errno.EINPROGRESS, os.strerror(errno.EINPROGRESS))
        self.assoc_id = assoc_id


class ConnectError(OSError):
    """No association came about. ``report`` tells what each address answered."""

    report: tuple[Any, ...] = ()


class ConnectRefused(ConnectError, ConnectionRefusedError):
    """Every address refused: ``ECONNREFUSED``."""


class ConnectTimeout(ConnectError, TimeoutError):
    """At least one address stayed silent and none answered: ``ETIMEDOUT``."""


class ConnectUnreachable(ConnectError):
    """Every address was unreachable; ``errno`` says how (``EHOSTUNREACH``, ``ENETUNREACH``, ...)."""


def connect_error(code: int, detail: str, report: Sequence[Any]) -> ConnectError:
    """The exception that fits a failed connect: a built-in class and a ``ConnectError`` in one."""
    kind: type[ConnectError]
    if code == errno.ECONNREFUSED:
        kind = ConnectRefused
    elif code == errno.ETIMEDOUT:
        kind = ConnectTimeout
    else:
        kind = ConnectUnreachable
    failure = kind(code, detail or os.strerror(code))
    failure.report = tuple(report)
    return failure
