"""From the events of the core to the notifications of RFC 6458 section 6.1."""

from __future__ import annotations

import errno
from collections.abc import Collection
from ipaddress import ip_address
from typing import Any

import pytest

from sctpx.core import events as core
from sctpx.core.config import AssociationConfig
from sctpx.core.path import states as path_states
from sctpx.sockapi import constants as c
from sctpx.sockapi.notifications import (
    EVENT_TYPES,
    Failed,
    notifications,
    send_failed,
    to_event_subscribe,
    to_subscriptions,
)
from sctpx.sockapi.structs import (
    NOTIFICATIONS,
    AdaptationEvent,
    AssocChange,
    AssocResetEvent,
    AuthkeyEvent,
    EventSubscribe,
    Notification,
    PaddrChange,
    PdapiEvent,
    RemoteError,
    SenderDryEvent,
    SendFailed,
    SendFailedEvent,
    ShutdownEvent,
    SndInfo,
    SndRcvInfo,
    StreamChangeEvent,
    StreamResetEvent,
    unpack_notification,
)
from sctpx.testing import Pair
from tests.conformance.peer import FULL, Peer

ALL = frozenset(EVENT_TYPES)
REMOTE = ip_address("10.0.1.2").packed


@pytest.fixture
def pair() -> Pair:
    """An association in virtual time."""
    return Pair(seed=1, paths=2).connect()


def told(pair: Pair, subscribed: Collection[int] = ALL) -> list[Notification]:
    """All that the events of side A so far say."""
    return [found for event in pair.a.host.events for found in notifications(event, subscribed)]


def test_nothing_is_told_that_was_not_subscribed_to(pair: Pair) -> None:
    pair.shutdown()
    assert told(pair, ()) == []
    assert {type(found) for found in told(pair, {c.SCTP_ASSOC_CHANGE})} == {AssocChange}


def test_an_association_comes_up_and_ends_gracefully(pair: Pair) -> None:
    pair.shutdown()
    states = [found.sac_state for found in told(pair) if isinstance(found, AssocChange)]
    assert states == [c.SCTP_COMM_UP, c.SCTP_SHUTDOWN_COMP]
    assert told(pair, {c.SCTP_ASSOC_CHANGE})[0] == AssocChange(
        sac_state=c.SCTP_COMM_UP,
        sac_outbound_streams=10,
        sac_inbound_streams=10,
        sac_assoc_id=pair.a.association.id,
        sac_info=bytes((c.SCTP_ASSOC_SUPPORTS_PR, c.SCTP_ASSOC_SUPPORTS_RE_CONFIG)),
    )


def test_a_peer_that_shuts_down_is_told(pair: Pair) -> None:
    pair.b.association.shutdown(pair.network.clock.now)
    pair.network.run_for(1)
    assert ShutdownEvent(sse_assoc_id=pair.a.association.id) in told(pair)


def test_a_sender_that_is_dry_is_told(pair: Pair) -> None:
    pair.a.send(b"data")
    pair.drain()
    assert told(pair, {c.SCTP_SENDER_DRY_EVENT}) == [SenderDryEvent(sender_dry_assoc_id=pair.a.association.id)]


def test_a_restart_is_told_with_the_streams(pair: Pair) -> None:
    lost = (b"lost", 1, 7, True, False, 9, True)
    failed, failed_event, restart = notifications(core.Restarted(pair.a.association, [lost]), ALL)
    assert isinstance(failed, SendFailed)
    assert (failed.ssf_data, failed.ssf_flags, failed.ssf_info.sinfo_context) == (b"lost", c.SCTP_DATA_SENT, 9)
    assert isinstance(failed_event, SendFailedEvent)
    assert isinstance(restart, AssocChange)
    assert (restart.sac_state, restart.sac_outbound_streams) == (c.SCTP_RESTART, 10)


def test_a_peer_that_does_not_authenticate_is_told_behind_comm_up(pair: Pair) -> None:
    up, no_auth, *_ = told(pair)
    assert isinstance(up, AssocChange)
    assert no_auth == AuthkeyEvent(auth_indication=c.SCTP_AUTH_NO_AUTH, auth_assoc_id=pair.a.association.id)


# --- abrupt ends ---


def test_an_abort_of_the_peer_comes_whole_behind_the_messages_that_were_lost(pair: Pair) -> None:
    pair.cut(1)
    pair.cut(2)
    pair.a.send(b"sent", stream=3, ppid=60)
    pair.network.run_for(0.01)
    event = core.CommunicationLost(pair.a.association, errno.ECONNRESET, True, [(12, b"enough")])
    found = notifications(event, {c.SCTP_ASSOC_CHANGE, c.SCTP_SEND_FAILED_EVENT}, [Failed(b"kept", 1, context=7)])
    assoc_id = pair.a.association.id
    assert found == [
        SendFailedEvent(
            ssfe_flags=c.SCTP_DATA_SENT,
            ssfe_error=12,
            ssfe_info=SndInfo(snd_sid=3, snd_flags=c.SCTP_DATA_NOT_FRAG, snd_ppid=60, snd_assoc_id=assoc_id),
            ssfe_assoc_id=assoc_id,
            ssfe_data=b"sent",
        ),
        SendFailedEvent(
            ssfe_flags=c.SCTP_DATA_UNSENT,
            ssfe_error=12,
            ssfe_info=SndInfo(snd_sid=1, snd_flags=c.SCTP_DATA_NOT_FRAG, snd_context=7, snd_assoc_id=assoc_id),
            ssfe_assoc_id=assoc_id,
            ssfe_data=b"kept",
        ),
        AssocChange(
            sac_state=c.SCTP_COMM_LOST,
            sac_error=12,
            sac_outbound_streams=10,
            sac_inbound_streams=10,
            sac_assoc_id=assoc_id,
            sac_info=b"\x06\0\0\x0e\0\x0c\0\x0aenough\0\0",
        ),
    ]


@pytest.mark.parametrize("arrived", [0, 1, 2])
def test_the_end_of_a_message_of_which_the_beginning_arrived_comes_back_as_such(arrived: int) -> None:
    """Section 6.1.11: "If the first part of the message is sent successfully, SCTP_DATA_LAST_FRAG is set"."""
    peer = Peer()
    peer.send(3 * FULL, stream=2, ppid=60, context=9)
    if arrived:
        peer.sack(arrived)
    lost = core.CommunicationLost(peer.association, errno.ETIMEDOUT, False, [])
    old, new = notifications(lost, {c.SCTP_SEND_FAILED, c.SCTP_SEND_FAILED_EVENT})
    part = c.SCTP_DATA_LAST_FRAG if arrived else c.SCTP_DATA_NOT_FRAG
    assert isinstance(new, SendFailedEvent)
    assert new.ssfe_info == SndInfo(
        snd_sid=2, snd_flags=part, snd_ppid=60, snd_context=9, snd_assoc_id=peer.association.id
    )
    assert (new.ssfe_flags, len(new.ssfe_data)) == (c.SCTP_DATA_SENT, (3 - arrived) * FULL)
    assert isinstance(old, SendFailed)
    assert (old.ssf_info.sinfo_flags, old.ssf_info.sinfo_context) == (part, 9)


def test_an_association_that_fails_by_itself_has_no_abort_chunk_to_show(pair: Pair) -> None:
    lost = core.CommunicationLost(pair.a.association, errno.ETIMEDOUT, False, [])
    [found] = notifications(lost, {c.SCTP_ASSOC_CHANGE})
    assert isinstance(found, AssocChange)
    assert (found.sac_state, found.sac_error, found.sac_info) == (c.SCTP_COMM_LOST, 0, b"")


def test_an_association_that_cannot_start_is_told_with_its_messages(pair: Pair) -> None:
    event = core.CannotStart(pair.a.association, errno.ECONNREFUSED, [])
    found = notifications(event, ALL, [Failed(b"implicit", 0)])
    assert [type(one) for one in found] == [SendFailed, SendFailedEvent, AssocChange]
    assert isinstance(found[2], AssocChange)
    assert found[2].sac_state == c.SCTP_CANT_STR_ASSOC


def test_a_failed_message_is_told_in_the_old_form_too() -> None:
    [found] = send_failed(5, Failed(b"data", 1, 60, True, 7), 12, {c.SCTP_SEND_FAILED})
    assert found == SendFailed(
        ssf_flags=c.SCTP_DATA_SENT,
        ssf_error=12,
        ssf_info=SndRcvInfo(
            sinfo_stream=1, sinfo_flags=c.SCTP_DATA_NOT_FRAG, sinfo_ppid=60, sinfo_context=7, sinfo_assoc_id=5
        ),
        ssf_assoc_id=5,
        ssf_data=b"data",
    )


# --- paths ---


@pytest.mark.parametrize(
    ("what", "state", "told_as"),
    [
        (core.CHANGE_STATE, path_states.PATH_ACTIVE, c.SCTP_ADDR_AVAILABLE),
        (core.CHANGE_STATE, path_states.PATH_POTENTIALLY_FAILED, c.SCTP_ADDR_POTENTIALLY_FAILED),
        (core.CHANGE_STATE, path_states.PATH_INACTIVE, c.SCTP_ADDR_UNREACHABLE),
        (core.CHANGE_CONFIRMED, path_states.PATH_ACTIVE, c.SCTP_ADDR_CONFIRMED),
        (core.CHANGE_ADDED, path_states.PATH_ACTIVE, c.SCTP_ADDR_ADDED),
        (core.CHANGE_REMOVED, path_states.PATH_INACTIVE, c.SCTP_ADDR_REMOVED),
        (core.CHANGE_PRIMARY, path_states.PATH_ACTIVE, c.SCTP_ADDR_MADE_PRIM),
        (core.CHANGE_PRIMARY, path_states.PATH_POTENTIALLY_FAILED, c.SCTP_ADDR_MADE_PRIM),
    ],
)
def test_a_change_of_an_address_is_told(pair: Pair, what: int, state: int, told_as: int) -> None:
    event = core.PathChange(pair.a.association, REMOTE, what, state, errno.EHOSTUNREACH)
    assert notifications(event, ALL) == [
        PaddrChange(
            spc_aaddr=("10.0.1.2", 5000),
            spc_state=told_as,
            spc_error=errno.EHOSTUNREACH,
            spc_assoc_id=pair.a.association.id,
        )
    ]


def test_an_address_can_be_told_as_ipv4_mapped(pair: Pair) -> None:
    event = core.PathChange(pair.a.association, REMOTE, core.CHANGE_PRIMARY, path_states.PATH_ACTIVE)
    [found] = notifications(event, ALL, mapped_v4=True)
    assert isinstance(found, PaddrChange)
    assert found.spc_aaddr == ("::ffff:10.0.1.2", 5000, 0, 0)


def test_an_ipv6_address_is_told_as_such() -> None:
    pair = Pair(seed=1, ipv6=True).connect()
    event = core.PathChange(pair.a.association, pair.a.association.paths[0].remote, core.CHANGE_PRIMARY, 0)
    [found] = notifications(event, ALL, mapped_v4=True)
    assert isinstance(found, PaddrChange)
    assert found.spc_aaddr == ("2001:db8:1::2", 5000, 0, 0)


def test_potentially_failed_paths_are_told_only_where_they_are_exposed(pair: Pair) -> None:
    pair.cut(1)
    pair.a.send(b"data")
    pair.drain()
    pair.network.run_for(1.5)  # The HEARTBEAT beside the tail loss probe is not answered for an RTO.
    for exposed in (True, False):
        found = [one for event in pair.a.host.events for one in notifications(event, ALL, expose_pf=exposed)]
        states = [one.spc_state for one in found if isinstance(one, PaddrChange)]
        assert (c.SCTP_ADDR_POTENTIALLY_FAILED in states) is exposed


ACTIVE, PF, INACTIVE = path_states.PATH_ACTIVE, path_states.PATH_POTENTIALLY_FAILED, path_states.PATH_INACTIVE


@pytest.mark.parametrize(
    ("before", "now", "told_as"),
    [
        (ACTIVE, PF, None),
        (PF, ACTIVE, None),
        (ACTIVE, INACTIVE, c.SCTP_ADDR_UNREACHABLE),
        (PF, INACTIVE, c.SCTP_ADDR_UNREACHABLE),
        (INACTIVE, ACTIVE, c.SCTP_ADDR_AVAILABLE),
        (INACTIVE, PF, c.SCTP_ADDR_AVAILABLE),
    ],
)
def test_where_potentially_failed_paths_are_not_exposed_their_changes_are_those_of_rfc_9260(
    pair: Pair, before: int, now: int, told_as: int | None
) -> None:
    """RFC 7829 section 3.2 (12): "the means to suppress exposure of the PF state and the associated state
    transitions".
    """
    event = core.PathChange(pair.a.association, REMOTE, core.CHANGE_STATE, now, before=before)
    found = [one.spc_state for one in notifications(event, ALL, expose_pf=False) if isinstance(one, PaddrChange)]
    assert found == ([] if told_as is None else [told_as])
    assert len(notifications(event, ALL)) == 1


def test_a_path_that_fails_and_recovers_is_told() -> None:
    pair = Pair(seed=1, paths=2, config=AssociationConfig(path_max_retrans=0, heartbeat_interval=1)).connect()
    pair.network.run_for(5)
    pair.cut(1)
    pair.network.run_for(10)
    pair.heal(1)
    pair.network.run_for(30)
    changes = [one for one in told(pair) if isinstance(one, PaddrChange) and one.spc_aaddr == ("10.0.1.2", 5000)]
    states = [one.spc_state for one in changes if one.spc_state in (c.SCTP_ADDR_UNREACHABLE, c.SCTP_ADDR_AVAILABLE)]
    assert states == [c.SCTP_ADDR_UNREACHABLE, c.SCTP_ADDR_AVAILABLE]


# --- the rest ---


def test_the_adaptation_layer_of_the_peer_is_told(pair: Pair) -> None:
    """Section 6.1.6."""
    [found] = notifications(core.AdaptationIndication(pair.a.association, 0xFFFFFFFF), ALL)
    assert found == AdaptationEvent(sai_adaptation_ind=0xFFFFFFFF, sai_assoc_id=pair.a.association.id)


def test_an_error_of_the_peer_comes_as_its_chunk(pair: Pair) -> None:
    [found] = notifications(core.RemoteError(pair.a.association, [(1, b"\0\7\0\0")]), ALL)
    assert found == RemoteError(
        sre_error=1, sre_assoc_id=pair.a.association.id, sre_data=b"\x09\0\0\x0c\0\1\0\x08\0\7\0\0"
    )


def test_errors_that_do_not_fit_one_chunk_come_in_several(pair: Pair) -> None:
    causes = [(6, bytes(30_000)), (1, b"\0\7\0\0"), (6, bytes(40_000)), (6, b"\xc7\0\0\4")]
    found = notifications(core.RemoteError(pair.a.association, causes), ALL)
    assert [(one.sre_error, one.sn_length) for one in found if isinstance(one, RemoteError)] == [
        (6, 16 + 4 + 30_004 + 8),
        (6, 16 + 4 + 40_004 + 8),
    ]


def test_a_delivery_that_was_broken_off_is_told(pair: Pair) -> None:
    [found] = notifications(core.PartialDeliveryAborted(pair.a.association, 3, 5, 0), ALL)
    assert found == PdapiEvent(
        pdapi_indication=c.SCTP_PARTIAL_DELIVERY_ABORTED,
        pdapi_assoc_id=pair.a.association.id,
        pdapi_stream=3,
        pdapi_seq=5,
    )


@pytest.mark.parametrize(
    ("result", "flag"),
    [
        (core.RECONFIG_DONE, 0),
        (core.RECONFIG_DENIED, c.SCTP_STREAM_RESET_DENIED),
        (core.RECONFIG_FAILED, c.SCTP_STREAM_RESET_FAILED),
    ],
)
def test_how_a_reconfiguration_went(pair: Pair, result: int, flag: int) -> None:
    """RFC 6525 section 6.1: the flags for denied and failed are the same in all three notifications."""
    assert c.SCTP_STREAM_RESET_DENIED == c.SCTP_ASSOC_RESET_DENIED == c.SCTP_STREAM_CHANGE_DENIED
    assert c.SCTP_STREAM_RESET_FAILED == c.SCTP_ASSOC_RESET_FAILED == c.SCTP_STREAM_CHANGE_FAILED
    association = pair.a.association
    number = association.id
    assert notifications(core.StreamsReset(association, True, False, [3, 1], result), ALL) == [
        StreamResetEvent(
            strreset_flags=c.SCTP_STREAM_RESET_OUTGOING_SSN | flag,
            strreset_assoc_id=number,
            strreset_stream_list=(3, 1),
        )
    ]
    [incoming] = notifications(core.StreamsReset(association, False, True, [], result), ALL)
    assert incoming.sn_flags == c.SCTP_STREAM_RESET_INCOMING_SSN | flag
    assert incoming.sn_length == len(incoming.pack()) == 12
    assert notifications(core.AssociationReset(association, 5, 6, result), ALL) == [
        AssocResetEvent(
            assocreset_flags=flag, assocreset_assoc_id=number, assocreset_local_tsn=5, assocreset_remote_tsn=6
        )
    ]
    assert notifications(core.StreamsAdded(association, 7, 8, result), ALL) == [
        StreamChangeEvent(strchange_flags=flag, strchange_assoc_id=number, strchange_instrms=7, strchange_outstrms=8)
    ]


def test_every_notification_that_can_be_subscribed_to_comes_of_some_event(pair: Pair) -> None:
    """But for the one that says that no more come, which is the socket's own (``test_styles``)."""
    association = pair.a.association
    events: list[core.Event] = [
        core.CommunicationUp(association, False),
        core.PathChange(association, REMOTE, core.CHANGE_STATE, path_states.PATH_INACTIVE),
        core.RemoteError(association, [(1, b"\0\7\0\0")]),
        core.PartialDeliveryAborted(association, 3, 5, 0),
        core.SenderDry(association),
        core.PeerShutdown(association),
        core.AdaptationIndication(association, 7),
        core.StreamsReset(association, True, False, [], core.RECONFIG_DONE),
        core.AssociationReset(association, 1, 2, core.RECONFIG_DONE),
        core.StreamsAdded(association, 1, 2, core.RECONFIG_DONE),
    ]
    found = [notice for event in events for notice in notifications(event, ALL)]
    lost = core.CommunicationLost(association, errno.ECONNRESET, True, [])
    found += notifications(lost, ALL, [Failed(b"kept", 0)])
    come = {kind.TYPE for kind in NOTIFICATIONS.values() if not kind.NEEDS}
    assert {notice.TYPE for notice in found} == come - {c.SCTP_NOTIFICATIONS_STOPPED_EVENT}


def test_what_wakes_readers_and_writers_is_no_notification(pair: Pair) -> None:
    assert notifications(core.Readable(pair.a.association), ALL) == []
    assert notifications(core.Writable(pair.a.association), ALL) == []


def test_every_notification_that_was_told_packs_and_unpacks(pair: Pair) -> None:
    pair.a.send(b"data")
    pair.drain()
    pair.shutdown()
    assert len(told(pair)) >= 3
    assert all(unpack_notification(found.pack()) == found for found in told(pair))


def test_subscriptions_of_the_old_form_are_those_of_the_new() -> None:
    everything = EventSubscribe(**dict.fromkeys(EventSubscribe.offsets(), 1))
    assert to_subscriptions(everything) == ALL - {c.SCTP_NOTIFICATIONS_STOPPED_EVENT}
    assert to_event_subscribe(to_subscriptions(everything)) == everything
    assert to_subscriptions(EventSubscribe()) == frozenset()


def test_failed_messages_have_the_flags_of_a_data_chunk_unordered_ones_too(pair: Pair) -> None:
    pair.cut(1)
    pair.cut(2)
    pair.a.send(b"sent", unordered=True)
    pair.network.run_for(0.01)
    event = core.CommunicationLost(pair.a.association, errno.ECONNRESET, True, [])
    kept = [Failed(b"kept", 0, unordered=True), Failed(b"end", 0, whole=False, unordered=True), Failed(b"ordered", 0)]
    found = notifications(event, {c.SCTP_SEND_FAILED_EVENT}, kept)
    flags = [notice.ssfe_info.snd_flags for notice in found if isinstance(notice, SendFailedEvent)]
    # U, B and E of RFC 9260 section 3.3.1.
    assert flags == [0b111, 0b111, 0b101, 0b011]


FEATURES: dict[str, int] = {
    "partial_reliability": c.SCTP_ASSOC_SUPPORTS_PR,
    "authentication": c.SCTP_ASSOC_SUPPORTS_AUTH,
    "stream_reconfiguration": c.SCTP_ASSOC_SUPPORTS_RE_CONFIG,
    "interleaving": c.SCTP_ASSOC_SUPPORTS_INTERLEAVING,
}


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("field", [*FEATURES, "address_reconfiguration"])
def test_comm_up_lists_what_both_sides_support(field: str, both: bool) -> None:
    """RFC 6458 section 6.1.1, RFC 6525 section 6.1, RFC 8260 section 4.2."""
    nothing: dict[str, Any] = dict.fromkeys(FEATURES, False)
    a = AssociationConfig(**{**nothing, field: True})
    b = AssociationConfig(**{**nothing, field: both})
    with Pair(config=a, b_config=b).connect() as pair:
        [up] = told(pair, {c.SCTP_ASSOC_CHANGE})
        assert isinstance(up, AssocChange)
        of_addresses = (c.SCTP_ASSOC_SUPPORTS_AUTH, c.SCTP_ASSOC_SUPPORTS_ASCONF)
        wanted = (FEATURES[field],) if field in FEATURES else of_addresses
        assert up.sac_info == (bytes(wanted) if both else b"")
