"""Notifications of the kernel as events of asyncio."""

from __future__ import annotations

import errno
import inspect

import pytest

from sctpx import events as e
from sctpx import structs as s
from sctpx.aio.association import Association
from sctpx.aio.endpoint import Endpoint
from sctpx.aio.over_kernel.association import KernelAssociation
from sctpx.aio.over_kernel.endpoint import KernelEndpoint
from sctpx.aio.over_kernel.told import to_event, to_undelivered
from sctpx.sockapi import constants as c
from sctpx.sockapi.send import Undelivered

ABORT = b"\x06\x00\x00\x0b\x00\x0c\x00\x07why"


@pytest.mark.parametrize(
    ("notice", "event"),
    [
        (s.AssocChange(sac_state=c.SCTP_SHUTDOWN_COMP), e.ShutdownComplete()),
        (s.AssocChange(sac_state=c.SCTP_RESTART), e.Restarted(())),
        (
            s.AssocChange(sac_state=c.SCTP_COMM_LOST, sac_error=12, sac_info=ABORT),
            e.CommunicationLost(errno.ECONNRESET, True, ((12, b"why"),)),
        ),
        (s.AssocChange(sac_state=c.SCTP_COMM_LOST), e.CommunicationLost(errno.ETIMEDOUT, False, ())),
        (s.AssocChange(sac_state=c.SCTP_COMM_UP), None),
        (s.ShutdownEvent(), e.PeerShutdown()),
        (s.SenderDryEvent(), e.SenderDry()),
        (s.PdapiEvent(pdapi_stream=3, pdapi_seq=4), e.PartialDeliveryAborted(3, 4)),
        (
            s.PaddrChange(spc_aaddr=("192.0.2.1", 7), spc_state=c.SCTP_ADDR_UNREACHABLE),
            e.PathStateChanged("192.0.2.1", "inactive", 0),
        ),
        (
            s.PaddrChange(spc_aaddr=("192.0.2.1", 7), spc_state=c.SCTP_ADDR_POTENTIALLY_FAILED),
            e.PathStateChanged("192.0.2.1", "potentially failed", 0),
        ),
        (s.PaddrChange(spc_aaddr=("192.0.2.1", 7), spc_state=c.SCTP_ADDR_CONFIRMED), e.PathConfirmed("192.0.2.1")),
        (s.PaddrChange(spc_aaddr=("192.0.2.1", 7), spc_state=c.SCTP_ADDR_MADE_PRIM), e.PrimaryChanged("192.0.2.1")),
        (s.PaddrChange(spc_aaddr=("192.0.2.1", 7), spc_state=c.SCTP_ADDR_ADDED), e.PeerAddressAdded("192.0.2.1")),
        (
            s.PaddrChange(spc_aaddr=("192.0.2.1", 7), spc_state=c.SCTP_ADDR_REMOVED),
            e.PeerAddressRemoved("192.0.2.1"),
        ),
        (s.AdaptationEvent(sai_adaptation_ind=7), e.AdaptationIndicated(7)),
        (s.RemoteError(sre_error=9, sre_data=b"x"), e.RemoteError(((9, b"x"),))),
    ],
)
def test_a_notification_is_the_event_that_the_userspace_stack_tells(notice: s.Notification, event: e.Event) -> None:
    assert to_event(notice) == event


def test_a_chunk_that_cannot_be_read_leaves_the_cause_that_the_kernel_told() -> None:
    lost = s.AssocChange(sac_state=c.SCTP_COMM_LOST, sac_error=13, sac_info=b"\x06\x00\x00\x05\xff")
    assert to_event(lost) == e.CommunicationLost(errno.ECONNRESET, True, ((13, b""),))


def test_a_message_that_failed_tells_whether_it_was_sent() -> None:
    failed = s.SendFailedEvent(ssfe_flags=c.SCTP_DATA_SENT, ssfe_info=s.SndInfo(snd_sid=3, snd_ppid=60), ssfe_data=b"x")
    assert to_undelivered(failed) == Undelivered(b"x", 3, 60, True)


@pytest.mark.parametrize(("kind", "base"), [(KernelAssociation, Association), (KernelEndpoint, Endpoint)])
def test_nothing_that_asks_the_core_is_left_over_for_the_kernel(kind: type, base: type) -> None:
    """A public method or property of the base that names the core or its driver has one for the kernel."""
    left = []
    for name, member in [item for each in base.__mro__ for item in vars(each).items()]:
        function = getattr(member, "fget", None) or member
        code = getattr(function, "__code__", None)
        names = set(code.co_names) if code is not None else set[str]()
        inherited = inspect.getattr_static(kind, name) is member
        if names & {"_core", "_driver"} and inherited and not name.startswith("_"):
            left.append(name)
    assert sorted(left) == UNREACHED[base]


UNREACHED: dict[type, list[str]] = {
    Association: ["handle_event", "wait_established"],
    Endpoint: ["adopt", "associate", "change_addresses", "hand_over", "is_left"],
}
"""What only the driver of the core calls, or an endpoint of the core."""
