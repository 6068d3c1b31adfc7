"""Where the kernel has SCTP: its attempt to connect goes first, and UDP is tried beside it.

The kernel speaks native SCTP. A peer that has SCTP over UDP alone refuses that, or a firewall lets none of it pass and
nothing comes back. So sctpx's own stack asks the same addresses over UDP, at once when the kernel's attempt fails, and
when it is silent for a second, or for half of the time that the caller allows. The first association that comes up is
the result; the other attempt is given up, and aborted if it came up as well. The report tells of both.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Coroutine, Sequence
from typing import Any, Final, Protocol

from ..errors import ConnectError
from ..sockapi.failures import connect_failure
from ..sockapi.status import UNRESOLVED, AddressReport
from .association import Association

PATIENCE: Final = 1.0
"""Seconds of silence after which UDP is tried, too."""

_NO_SCTP: Final = frozenset(
    {errno.EPROTONOSUPPORT, errno.ESOCKTNOSUPPORT, errno.EAFNOSUPPORT, errno.EOPNOTSUPP, errno.EACCES, errno.EPERM}
)
"""The kernel does not do it, whoever the peer is: its SCTP is gone, is too old, or is not for this process."""


class Way(Protocol):
    """One way to associate with the peer."""

    def connect(self, timeout: float | None) -> Coroutine[Any, Any, Association]:
        """Go it, for so many seconds at most; ``None`` is without limit.

        A ``ConnectError`` if the peer is not reached so; what comes up after a cancellation is aborted.
        """

    def report(self, error: OSError | None) -> Sequence[AddressReport]:
        """What there is to tell of an attempt that failed with this error, or has not come up yet."""


async def connect(by_kernel: Way, by_udp: Way, timeout: float | None = None) -> Association:
    """The first association that comes up, within ``timeout`` seconds for both attempts together.

    ``OSError``: that of an attempt if it is about how the call was made; ``ConnectError`` if both fail: ETIMEDOUT if
    one was silent, else ECONNREFUSED if one was refused.
    """
    now = asyncio.get_running_loop().time
    end = None if timeout is None else now() + timeout
    kernel = asyncio.ensure_future(by_kernel.connect(timeout))
    attempts: dict[asyncio.Future[Association], Way] = {kernel: by_kernel}
    winner: asyncio.Future[Association] | None = None
    try:
        await asyncio.wait(attempts, timeout=PATIENCE if timeout is None else min(PATIENCE, timeout / 2))
        left = None if end is None else round(end - now(), 3)
        if not _is_up(kernel) and (left is None or left > 0):
            attempts[asyncio.ensure_future(by_udp.connect(left))] = by_udp
        while True:
            winner = next((attempt for attempt in attempts if _is_up(attempt)), None)
            if winner is not None:
                association = winner.result()
                if len(attempts) > 1:
                    # What sctpx's own stack asked is in the report of its own association already.
                    told: dict[asyncio.Future[Association], Way] = {
                        one: way for one, way in attempts.items() if one is kernel or one is not winner
                    }
                    association.add_to_report(_report(told))
                return association
            pending = [attempt for attempt in attempts if not attempt.done()]
            if not pending:
                raise _failure(attempts)
            await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
    finally:
        try:
            await _give_up([attempt for attempt in attempts if attempt is not winner])
        except asyncio.CancelledError:
            if winner is not None:
                _abort(winner)  # Nobody takes it any more.
            raise


def _is_up(attempt: asyncio.Future[Association]) -> bool:
    """It has come up. Raises what was wrong with the call itself: the other way would do no better."""
    error = attempt.exception() if attempt.done() else None
    if error is None or isinstance(error, ConnectError):
        return attempt.done() and error is None
    if isinstance(error, OSError) and error.errno in _NO_SCTP:
        return False
    raise error


def _error(attempt: asyncio.Future[Association]) -> OSError | None:
    error = attempt.exception() if attempt.done() else None
    return error if isinstance(error, OSError) else None


def _report(attempts: dict[asyncio.Future[Association], Way]) -> list[AddressReport]:
    """What these attempts have to tell, but for names that do not resolve: each attempt would name them again."""
    found = [entry for attempt, way in attempts.items() for entry in way.report(_error(attempt))]
    return [entry for entry in found if entry.answer != UNRESOLVED]


def _failure(attempts: dict[asyncio.Future[Association], Way]) -> ConnectError:
    """All have failed."""
    errors = [error for error in map(_error, attempts) if error is not None]
    codes = [error.errno for error in errors if isinstance(error, ConnectError)] or [errors[-1].errno]
    code = next((code for code in (errno.ETIMEDOUT, errno.ECONNREFUSED) if code in codes), codes[-1])
    names = [entry for error in errors[:1] for entry in getattr(error, "report", ()) if entry.answer == UNRESOLVED]
    return connect_failure(code or errno.ECONNREFUSED, [*_report(attempts), *names])


async def _give_up(attempts: Sequence[asyncio.Future[Association]]) -> None:
    """End the attempts, and abort what has come up."""
    for attempt in attempts:
        attempt.add_done_callback(_abort)
        attempt.cancel()
    await asyncio.gather(*attempts, return_exceptions=True)


def _abort(attempt: asyncio.Future[Association]) -> None:
    if not attempt.cancelled() and attempt.exception() is None:
        attempt.result().abort()
