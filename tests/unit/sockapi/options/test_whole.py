"""Options of the socket as a whole (RFC 6458 section 8)."""

from __future__ import annotations

import errno

import pytest

from sctpx.sockapi import constants as c
from sctpx.sockapi.notifications import SUBSCRIBE_FIELDS
from sctpx.sockapi.structs import (
    NOTIFICATIONS,
    AssocIds,
    Event,
    EventSubscribe,
    InitMsg,
    Linger,
    Notification,
    SndInfo,
    SndRcvInfo,
    Timeval,
)
from tests.unit.sockapi.holder import connected, make_socket, raises


def test_the_defaults_are_those_of_the_rfc() -> None:
    for one_to_many in (False, True):
        socket = make_socket(one_to_many)
        assert socket.get(c.SCTP_NODELAY) == 0
        assert socket.get(c.SCTP_DISABLE_FRAGMENTS) == 0
        assert socket.get(c.SCTP_FRAGMENT_INTERLEAVE) == int(one_to_many)
        assert socket.get(c.SCTP_EXPLICIT_EOR) == 0
        assert socket.get(c.SCTP_I_WANT_MAPPED_V4_ADDR) == 0
        assert socket.get(c.SCTP_EVENTS) == EventSubscribe()
        assert socket.get(c.SO_LINGER, level=c.SOL_SOCKET) == Linger()
    assert make_socket(one_to_many=True).get(c.SCTP_AUTOCLOSE) == 0


@pytest.mark.parametrize(
    "name",
    [
        c.SCTP_DISABLE_FRAGMENTS,
        c.SCTP_USE_EXT_RCVINFO,
        c.SCTP_EXPLICIT_EOR,
        c.SCTP_RECVRCVINFO,
        c.SCTP_RECVNXTINFO,
    ],
)
def test_a_flag_is_on_for_all_values_but_zero(name: int) -> None:
    socket = make_socket()
    assert socket.get(name) == 0
    socket.set(name, 7)
    assert socket.get(name) == 1
    socket.set(name, 0)
    assert socket.get(name) == 0


def test_initmsg_changes_what_is_not_zero() -> None:
    socket = make_socket()
    socket.set(c.SCTP_INITMSG, InitMsg(sinit_num_ostreams=5, sinit_max_init_timeo=2000))
    assert socket.get(c.SCTP_INITMSG) == InitMsg(
        sinit_num_ostreams=5, sinit_max_instreams=65535, sinit_max_attempts=8, sinit_max_init_timeo=2000
    )
    assert socket.settings.begin().config.streams == 5


def test_a_negative_linger_time_is_refused() -> None:
    socket = make_socket()
    socket.set(c.SO_LINGER, Linger(l_onoff=1, l_linger=0), c.SOL_SOCKET)
    with raises(errno.EINVAL):
        socket.set(c.SO_LINGER, Linger(l_onoff=1, l_linger=-1), c.SOL_SOCKET)
    assert socket.settings.linger == Linger(l_onoff=1, l_linger=0)


@pytest.mark.parametrize("option", [c.SO_RCVTIMEO, c.SO_SNDTIMEO])
def test_a_time_to_wait_is_seconds_and_microseconds(option: int) -> None:
    socket = make_socket()
    assert socket.get(option, level=c.SOL_SOCKET) == Timeval()
    socket.set(option, Timeval(tv_sec=1, tv_usec=500_000), c.SOL_SOCKET)
    for wrong in (Timeval(tv_sec=-1), Timeval(tv_usec=1_000_000), Timeval(tv_usec=-1)):
        with raises(errno.EINVAL):
            socket.set(option, wrong, c.SOL_SOCKET)
    assert socket.get(option, level=c.SOL_SOCKET) == Timeval(tv_sec=1, tv_usec=500_000)


@pytest.mark.parametrize(("asked", "given"), [(100_000, 100_000), (1, 4096), (-1, 4096), ((1 << 31) - 1, 1 << 30)])
def test_buffer_sizes_are_made_to_fit(asked: int, given: int) -> None:
    socket, pair = connected()
    socket.set(c.SO_SNDBUF, asked, c.SOL_SOCKET)
    socket.set(c.SO_RCVBUF, asked, c.SOL_SOCKET)
    assert socket.get(c.SO_SNDBUF, level=c.SOL_SOCKET) == socket.get(c.SO_RCVBUF, level=c.SOL_SOCKET) == given
    assert pair.a.association.send_space == given


def test_autoclose_is_for_one_to_many_sockets() -> None:
    socket = make_socket(one_to_many=True)
    socket.set(c.SCTP_AUTOCLOSE, 30)
    assert socket.get(c.SCTP_AUTOCLOSE) == 30
    with raises(errno.EINVAL):
        socket.set(c.SCTP_AUTOCLOSE, -1)
    for call in (lambda: make_socket().set(c.SCTP_AUTOCLOSE, 1), lambda: make_socket().get(c.SCTP_AUTOCLOSE)):
        with raises(errno.EOPNOTSUPP):
            call()


def test_mapped_addresses_are_for_ipv6_sockets() -> None:
    socket = make_socket(ipv6=True)
    socket.set(c.SCTP_I_WANT_MAPPED_V4_ADDR, 7)
    assert socket.get(c.SCTP_I_WANT_MAPPED_V4_ADDR) == 1
    with raises(errno.EINVAL):
        make_socket().set(c.SCTP_I_WANT_MAPPED_V4_ADDR, 1)


def test_interleaving_on_level_2_needs_something_that_tells_the_stream() -> None:
    socket = make_socket()
    for level in (3, -1, 2):
        with raises(errno.EINVAL):
            socket.set(c.SCTP_FRAGMENT_INTERLEAVE, level)
    socket.set(c.SCTP_RECVRCVINFO, 1)
    socket.set(c.SCTP_FRAGMENT_INTERLEAVE, 2)
    assert socket.get(c.SCTP_FRAGMENT_INTERLEAVE) == 2


def test_the_partial_delivery_point_lies_within_the_receive_buffer() -> None:
    socket = make_socket()
    socket.set(c.SCTP_PARTIAL_DELIVERY_POINT, 5000)
    assert socket.get(c.SCTP_PARTIAL_DELIVERY_POINT) == 5000
    assert socket.settings.begin().config.partial_limit == 5000
    for size in (-1, (1 << 20) + 1):
        with raises(errno.EINVAL):
            socket.set(c.SCTP_PARTIAL_DELIVERY_POINT, size)
    assert socket.get(c.SCTP_PARTIAL_DELIVERY_POINT) == 5000


def test_a_partial_delivery_point_of_0_hands_every_fragment_over_at_once() -> None:
    """RFC 6458 8.1.21: "Setting this to a lower value will cause partial deliveries to happen more often"."""
    socket = make_socket()
    assert socket.get(c.SCTP_PARTIAL_DELIVERY_POINT) == socket.settings.begin().config.partial_limit > 1_000_000
    socket.set(c.SCTP_PARTIAL_DELIVERY_POINT, 0)
    assert socket.get(c.SCTP_PARTIAL_DELIVERY_POINT) == 1
    _, pair = connected(config=socket.settings.begin().config)
    pair.b.send(bytes(4000))
    pair.drain()
    assert [part.more for part in pair.a.received] == [True, True, False]


def test_a_message_is_handed_over_in_parts_from_the_partial_delivery_point_on() -> None:
    socket = make_socket()
    socket.set(c.SCTP_PARTIAL_DELIVERY_POINT, 5000)
    _, pair = connected(config=socket.settings.begin().config)
    pair.b.send(bytes(4000))
    pair.b.send(bytes(20_000))
    pair.drain()
    assert pair.a.messages() == [bytes(4000), bytes(20_000)]
    assert [part.more for part in pair.a.received][:2] == [False, True]


# --- subscriptions ---


def test_events_are_subscribed_to_one_by_one() -> None:
    socket = make_socket()
    socket.set(c.SCTP_EVENT, Event(se_type=c.SCTP_ASSOC_CHANGE, se_on=1))
    socket.set(c.SCTP_EVENT, Event(se_type=c.SCTP_SHUTDOWN_EVENT, se_on=1))
    socket.set(c.SCTP_EVENT, Event(se_type=c.SCTP_ASSOC_CHANGE, se_on=0))
    asked = Event(se_type=c.SCTP_SHUTDOWN_EVENT)
    assert socket.get(c.SCTP_EVENT, asked) == Event(se_type=c.SCTP_SHUTDOWN_EVENT, se_on=1)
    assert socket.get(c.SCTP_EVENTS) == EventSubscribe(sctp_shutdown_event=1)


@pytest.mark.parametrize("event", [Event(se_type=0, se_on=1), Event(se_type=0x80FF), Event(se_type=0x8001, se_on=2)])
def test_there_is_no_subscription_to_what_does_not_exist(event: Event) -> None:
    socket = make_socket()
    with raises(errno.EINVAL):
        socket.set(c.SCTP_EVENT, event)


NEVER_COME = [kind for kind in NOTIFICATIONS.values() if kind.NEEDS]


@pytest.mark.parametrize("kind", NEVER_COME, ids=lambda kind: kind.C_NAME)
def test_a_notification_that_never_comes_cannot_be_subscribed_to(kind: type[Notification]) -> None:
    """In the new form, the old one and the old one's bytes. Nothing else of that call is subscribed to either."""
    socket = make_socket()
    [field] = [name for name, number in SUBSCRIBE_FIELDS if number == kind.TYPE]
    together = EventSubscribe(sctp_association_event=1, **{field: 1})
    event = Event(se_type=kind.TYPE, se_on=1).pack()
    for option, value in ((c.SCTP_EVENT, event), (c.SCTP_EVENTS, together), (c.SCTP_EVENTS, together.pack())):
        with pytest.raises(OSError, match=kind.NEEDS) as caught:
            socket.set(option, value)
        assert caught.value.errno == errno.EOPNOTSUPP
    assert socket.get(c.SCTP_EVENTS) == EventSubscribe()


@pytest.mark.parametrize("kind", NEVER_COME, ids=lambda kind: kind.C_NAME)
def test_a_notification_that_never_comes_can_be_switched_off_and_is_off(kind: type[Notification]) -> None:
    socket = make_socket()
    socket.set(c.SCTP_EVENT, Event(se_type=kind.TYPE, se_on=0))
    assert socket.get(c.SCTP_EVENT, Event(se_type=kind.TYPE)) == Event(se_type=kind.TYPE, se_on=0)


def test_all_others_can_be_subscribed_to_each_in_both_forms() -> None:
    come = {kind.TYPE for kind in NOTIFICATIONS.values()} - {kind.TYPE for kind in NEVER_COME}
    new, old = make_socket(), make_socket()
    for kind in come:
        new.set(c.SCTP_EVENT, Event(se_type=kind, se_on=1))
    assert new.settings.future.subscribed == come
    old.set(c.SCTP_EVENTS, EventSubscribe(**{name: 1 for name, kind in SUBSCRIBE_FIELDS if kind in come}))
    assert old.settings.future.subscribed == come - {c.SCTP_NOTIFICATIONS_STOPPED_EVENT}  # It has no field.


def test_all_events_are_subscribed_to_together_for_all_associations() -> None:
    socket, pair = connected(one_to_many=True)
    socket.set(c.SCTP_EVENTS, EventSubscribe(sctp_data_io_event=1, sctp_send_failure_event_event=1))
    expected = {c.SCTP_DATA_IO_EVENT, c.SCTP_SEND_FAILED_EVENT}
    assert socket.members[pair.a.association.id].settings.subscribed == socket.settings.future.subscribed == expected


# --- sending by default ---


def test_the_old_and_the_new_default_are_one() -> None:
    socket = make_socket()
    socket.set(c.SCTP_DEFAULT_SNDINFO, SndInfo(snd_sid=3, snd_flags=c.SCTP_UNORDERED, snd_ppid=60, snd_context=4))
    old = SndRcvInfo(sinfo_stream=3, sinfo_flags=c.SCTP_UNORDERED, sinfo_ppid=60, sinfo_context=4)
    assert socket.get(c.SCTP_DEFAULT_SEND_PARAM) == old
    socket.set(c.SCTP_DEFAULT_SEND_PARAM, SndRcvInfo(sinfo_stream=2))
    assert socket.get(c.SCTP_DEFAULT_SNDINFO) == SndInfo(snd_sid=2)


def test_what_a_default_cannot_be_is_refused() -> None:
    socket = make_socket()
    for flags in (c.SCTP_ABORT, c.SCTP_ADDR_OVER, 0x4000):
        with raises(errno.EINVAL):
            socket.set(c.SCTP_DEFAULT_SNDINFO, SndInfo(snd_flags=flags))
    with raises(errno.EINVAL):
        socket.set(c.SCTP_DEFAULT_SEND_PARAM, SndRcvInfo(sinfo_timetolive=1, sinfo_flags=0x4000))
    assert socket.get(c.SCTP_DEFAULT_SEND_PARAM) == SndRcvInfo()
    assert socket.get(c.SCTP_DEFAULT_SNDINFO) == SndInfo()


# --- what the socket has ---


def test_the_associations_of_a_one_to_many_socket_are_counted_and_listed() -> None:
    socket, pair = connected(one_to_many=True)
    assert socket.get(c.SCTP_GET_ASSOC_NUMBER) == 1
    assert socket.get(c.SCTP_GET_ASSOC_ID_LIST) == AssocIds(gaids_assoc_id=(pair.a.association.id,))
    for name in (c.SCTP_GET_ASSOC_NUMBER, c.SCTP_GET_ASSOC_ID_LIST):
        with raises(errno.EOPNOTSUPP):
            make_socket().get(name)
