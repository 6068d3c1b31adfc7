"""The exceptions of the kernel's errors: those that sctpx raises for the same."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from typing import Final

from ..errors import AssociationAborted, AssociationLost, ConnectError
from ..sockapi.failures import connect_failure
from ..sockapi.status import AddressReport

_LOSSES: Final = (errno.ECONNRESET, errno.ETIMEDOUT, errno.ECONNABORTED)
_CONNECT: Final = frozenset(
    {
        errno.ECONNREFUSED,
        errno.ETIMEDOUT,
        errno.EHOSTUNREACH,
        errno.ENETUNREACH,
        errno.ENOPROTOOPT,
        errno.EPROTO,
        errno.ECONNRESET,
        errno.EHOSTDOWN,
        errno.ENETDOWN,
    }
)


def loss(code: int) -> OSError | None:
    """The exception for an association that ended abruptly; ``None`` if the errno says something else.

    The kernel keeps neither the error causes of an ABORT nor the reason in it: the notification SCTP_ASSOC_CHANGE has
    the ABORT chunk.
    """
    if code not in _LOSSES:
        return None
    if code == errno.ETIMEDOUT:
        return AssociationLost("the peer does not answer any more")
    by = "this side" if code == errno.ECONNABORTED else "the peer"
    return AssociationAborted(f"the association was aborted by {by}")


def cannot_connect(code: int, unusable: Sequence[AddressReport] = ()) -> ConnectError:
    """The exception for an association that could not be set up. Its report has names that did not resolve, no more."""
    return connect_failure(errno.ECONNREFUSED if code == errno.ECONNRESET else code, unusable)


def is_connect_failure(code: int) -> bool:
    """Whether an errno of a connect is about the peer or the way there, and not about how the call was made."""
    return code in _CONNECT
