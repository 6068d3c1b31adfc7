"""Options of partial reliability (RFC 6458 section 8.1.32, RFC 7496 section 4)."""

from __future__ import annotations

import errno
from typing import Any

from .. import constants as c
from ..ancillary import POLICIES, check_policy
from ..structs import AssocValue, DefaultPrInfo, PrInfo, PrStatus
from . import negotiated
from .scope import Scope
from .whole import Change


def get_default_prinfo(scope: Scope, _: object) -> DefaultPrInfo:
    """RFC 6458 section 8.1.32."""
    kept = scope.settings.prinfo
    return DefaultPrInfo(pr_assoc_id=scope.id, pr_policy=kept.pr_policy, pr_value=kept.pr_value)


def set_default_prinfo(scope: Scope, value: DefaultPrInfo) -> Change:
    """RFC 6458 section 8.1.32. OSError EINVAL if there is no such policy."""
    check_policy(value.pr_policy)
    kept = PrInfo(pr_policy=value.pr_policy, pr_value=value.pr_value)
    return lambda: setattr(scope.settings, "prinfo", kept)


def get_supported(scope: Scope, _: object) -> AssocValue:
    """RFC 7496 section 4.5: whether it was negotiated, or will be offered."""
    return negotiated.supported(scope, "partial_reliability", "partial_reliability")


def set_supported(scope: Scope, value: AssocValue) -> Change:
    """RFC 7496 section 4.5: "the enabling or disabling of the negotiation [...] for future associations"."""
    negotiated.check_future(scope)
    return negotiated.offer(scope, "partial_reliability", value)


def get_stream_status(scope: Scope, asked: Any) -> PrStatus:
    """RFC 7496 section 4.3: what was given up on an outgoing stream. OSError EINVAL if there is none such."""
    stream = asked.sprstat_sid
    if stream >= scope.live().outbound_streams:
        raise OSError(errno.EINVAL, f"no stream {stream}: the association has {scope.live().outbound_streams}, from 0")
    return _status(scope, asked, stream)


def get_assoc_status(scope: Scope, asked: Any) -> PrStatus:
    """RFC 7496 section 4.4: what was given up of the association."""
    return _status(scope, asked, -1)


def _status(scope: Scope, asked: PrStatus, stream: int) -> PrStatus:
    """OSError EINVAL without a policy: "It is an error to use SCTP_PR_SCTP_NONE"."""
    policy = asked.sprstat_policy
    if policy != c.SCTP_PR_SCTP_ALL:
        check_policy(policy)
        if policy == c.SCTP_PR_SCTP_NONE:
            raise OSError(errno.EINVAL, "nothing is given up with SCTP_PR_SCTP_NONE: SCTP_PR_SCTP_ALL counts all")
    unsent, sent = scope.live().abandoned(stream, POLICIES.get(policy, -1))
    return PrStatus(
        sprstat_assoc_id=scope.id,
        sprstat_sid=asked.sprstat_sid,
        sprstat_policy=policy,
        sprstat_abandoned_unsent=unsent,
        sprstat_abandoned_sent=sent,
    )
