"""What users are told: events, status, failures, in strings, seconds and exceptions."""

from __future__ import annotations

import errno
from ipaddress import ip_address
from typing import Any

import pytest

import sctpx
from sctpx.core import events as core
from sctpx.core.association.connect import (
    ANSWER_ABORT,
    ANSWER_COOKIE_ECHO,
    ANSWER_ICMP,
    ANSWER_INIT_ACK,
    ANSWER_MALFORMED,
    ANSWER_NOT_ASKED,
    ANSWER_SEND_ERROR,
    ANSWER_SILENCE,
)
from sctpx.core.association.connect import AddressReport as CoreReport
from sctpx.core.config import AssociationConfig
from sctpx.core.path import states
from sctpx.sockapi import events
from sctpx.sockapi.events import to_event
from sctpx.sockapi.failures import connect_failure, loss
from sctpx.sockapi.send import Undelivered
from sctpx.sockapi.status import PATH_STATES, AddressReport, address_reports, path_info
from sctpx.testing import Pair

SECOND = 1_000_000_000
REMOTE = ip_address("192.0.2.1").packed


@pytest.fixture
def pair() -> Pair:
    """An association in virtual time."""
    return Pair(seed=1, paths=2).connect()


# --- events ---


def test_every_event_of_the_core_is_told_but_that_one_can_read_or_write(pair: Pair) -> None:
    association = pair.a.association
    told = {
        core.CommunicationUp(association, True): events.CommunicationUp(incoming=True),
        core.CannotStart(association, 111, [(4, b"")]): events.CannotStart(111, ((4, b""),)),
        core.CommunicationLost(association, 104, True, []): events.CommunicationLost(104, True, ()),
        core.Restarted(association, [(b"lost", 1, 7, True, False, None, True)]): events.Restarted(
            (Undelivered(b"lost", 1, 7, True),)
        ),
        core.PeerShutdown(association): events.PeerShutdown(),
        core.ShutdownComplete(association): events.ShutdownComplete(),
        core.PathChange(association, REMOTE, core.CHANGE_STATE, states.PATH_INACTIVE, 113): events.PathStateChanged(
            "192.0.2.1", "inactive", 113
        ),
        core.PathChange(association, REMOTE, core.CHANGE_CONFIRMED, 0): events.PathConfirmed("192.0.2.1"),
        core.PathChange(association, REMOTE, core.CHANGE_PRIMARY, 0): events.PrimaryChanged("192.0.2.1"),
        core.PathChange(association, REMOTE, core.CHANGE_ADDED, 0): events.PeerAddressAdded("192.0.2.1"),
        core.PathChange(association, REMOTE, core.CHANGE_REMOVED, 0): events.PeerAddressRemoved("192.0.2.1"),
        core.LocalAddressChange(association, REMOTE, core.ADDRESS_ADDED, core.ASCONF_DONE, []): (
            events.LocalAddressChanged("192.0.2.1", "added")
        ),
        core.LocalAddressChange(association, REMOTE, core.ADDRESS_REMOVED, core.ASCONF_REFUSED, [(0xA1, b"")]): (
            events.LocalAddressChanged("192.0.2.1", "removed", "refused", ((0xA1, b""),))
        ),
        core.LocalAddressChange(association, REMOTE, core.ADDRESS_MADE_PRIMARY, core.ASCONF_FAILED, []): (
            events.LocalAddressChanged("192.0.2.1", "primary", "failed")
        ),
        core.AdaptationIndication(association, 7): events.AdaptationIndicated(7),
        core.RemoteError(association, [(1, b"\0\1")]): events.RemoteError(((1, b"\0\1"),)),
        core.PartialDeliveryAborted(association, 3, 9, 0): events.PartialDeliveryAborted(3, 9),
        core.Abandoned(association, (b"old", 1, 7, True, False, None, True)): events.MessageAbandoned(
            Undelivered(b"old", 1, 7, True)
        ),
        core.SenderDry(association): events.SenderDry(),
        core.StreamsReset(association, True, False, [1, 2], core.RECONFIG_DONE): events.StreamsReset(
            True, False, (1, 2), "done"
        ),
        core.AssociationReset(association, 7, 8, core.RECONFIG_DENIED): events.AssociationReset(7, 8, "denied"),
        core.KeyChange(association, core.KEY_NEW, 7): events.KeyChanged(7, "new"),
        core.KeyChange(association, core.KEY_FREE, 8): events.KeyChanged(8, "free"),
        core.StreamsAdded(association, 11, 12, core.RECONFIG_FAILED): events.StreamsAdded(11, 12, "failed"),
        core.Readable(association): None,
        core.Writable(association): None,
    }
    kinds = {kind for kind in core.Event.__subclasses__() if kind.__module__ == core.__name__}
    assert {type(event) for event in told} == kinds
    assert [to_event(event) for event in told] == list(told.values())


# --- status ---


def test_the_states_of_a_path_have_their_names() -> None:
    known = [states.PATH_ACTIVE, states.PATH_POTENTIALLY_FAILED, states.PATH_INACTIVE]
    assert [PATH_STATES[state] for state in known] == ["active", "potentially failed", "inactive"]


def test_a_path_is_told_in_strings_and_seconds(pair: Pair) -> None:
    path = pair.a.association.paths[0]
    told = path_info(path, path)
    assert (told.remote, told.local, told.udp_port) == ("10.0.1.2", "10.0.1.1", 9899)
    assert told.srtt == path.srtt / SECOND
    assert told.rto == path.rto / SECOND == 1.0
    assert told.primary
    assert not path_info(path, None).primary


def test_a_path_is_told_with_its_thresholds() -> None:
    """RFC 7829 section 9."""
    config = AssociationConfig(path_max_retrans=4, potentially_failed_max_retrans=1, primary_switchover_max_retrans=2)
    with Pair(seed=1, config=config).connect() as pair:
        [told] = [path_info(path, None) for path in pair.a.association.paths]
        assert (told.max_retrans, told.potentially_failed_max_retrans) == (4, 1)
        assert told.primary_switchover_max_retrans == 2
    with Pair(seed=1).connect() as pair:
        assert path_info(pair.a.association.paths[0], None).primary_switchover_max_retrans is None


ACTIVE, PF, INACTIVE = states.PATH_ACTIVE, states.PATH_POTENTIALLY_FAILED, states.PATH_INACTIVE


@pytest.mark.parametrize(
    ("before", "now", "state"),
    [
        (ACTIVE, PF, None),
        (PF, ACTIVE, None),
        (ACTIVE, INACTIVE, "inactive"),
        (PF, INACTIVE, "inactive"),
        (INACTIVE, ACTIVE, "active"),
        (INACTIVE, PF, "active"),
    ],
)
def test_potentially_failed_paths_can_be_told_as_active_ones(
    pair: Pair, before: int, now: int, state: str | None
) -> None:
    """RFC 7829 section 3.2 (12): "the means to suppress exposure of the PF state and the associated state
    transitions".
    """
    path = pair.a.association.paths[0]
    event = core.PathChange(pair.a.association, path.remote, core.CHANGE_STATE, now, before=before)
    told = None if state is None else events.PathStateChanged("10.0.1.2", state, 0)
    assert to_event(event, expose_pf=False) == told
    assert to_event(event) == events.PathStateChanged("10.0.1.2", PATH_STATES[now], 0)
    path.state = now
    assert path_info(path, None, expose_pf=False).state == ("inactive" if now == INACTIVE else "active")
    other = core.PathChange(pair.a.association, path.remote, core.CHANGE_PRIMARY, PF)
    assert to_event(other, expose_pf=False) == events.PrimaryChanged("10.0.1.2")


def test_a_path_that_was_never_measured_has_no_round_trip_time(pair: Pair) -> None:
    assert path_info(pair.a.association.paths[1], None).srtt is None


def test_a_report_counts_from_the_beginning() -> None:
    start = 100 * SECOND
    asked = CoreReport(REMOTE, 9899, ip_address("192.0.2.9").packed, True, 0)
    asked.inits = 2
    asked.first_sent = start + SECOND // 10
    asked.on_answer(start + SECOND, ANSWER_ICMP, errno.EHOSTUNREACH, [])
    learnt = CoreReport(ip_address("2001:db8::1").packed, 0, b"", False, 0)
    learnt.kept = True
    assert address_reports([asked, learnt], start) == (
        AddressReport(
            address="192.0.2.1",
            udp_port=9899,
            source="192.0.2.9",
            inits=2,
            first_sent=0.1,
            answered=1.0,
            answer="ICMP",
            error=errno.EHOSTUNREACH,
        ),
        AddressReport(address="2001:db8::1", listed=False, kept=True),
    )


# --- failures ---


def test_an_association_that_was_lost_or_aborted_has_its_exception(pair: Pair) -> None:
    association = pair.a.association
    lost = loss(core.CommunicationLost(association, errno.ETIMEDOUT, False, []))
    assert isinstance(lost, sctpx.AssociationLost)
    assert isinstance(lost, TimeoutError)
    aborted = loss(core.CommunicationLost(association, errno.ECONNRESET, True, [(12, b"bye"), (99, b"?")]))
    assert isinstance(aborted, sctpx.AssociationAborted)
    assert aborted.causes == ((12, b"bye"), (99, b"?"))
    assert str(aborted).endswith("aborted by the peer (User-Initiated Abort 'bye', cause 99)")
    own = loss(core.CommunicationLost(association, errno.ECONNABORTED, False, []))
    assert str(own).endswith("aborted by this side")


def test_what_the_peer_wrote_is_cut_and_shown_as_plain_ascii(pair: Pair) -> None:
    reason = "\x1b[2J€\n".encode() + b"\xff" + bytes(5000)
    text = str(loss(core.CommunicationLost(pair.a.association, errno.ECONNRESET, True, [(12, reason)])))
    assert text.isascii()
    assert text.isprintable()
    assert len(text) < 1200


@pytest.mark.parametrize(
    ("code", "builtin"),
    [(errno.ECONNREFUSED, ConnectionRefusedError), (errno.ETIMEDOUT, TimeoutError), (errno.ENETUNREACH, OSError)],
)
def test_a_failed_connect_is_the_builtin_that_fits_and_tells_of_each_address(code: int, builtin: type) -> None:
    start = CoreReport(REMOTE, 9899, b"", True, 0)
    reports: list[AddressReport] = []
    for answer, error, inits in (
        (ANSWER_NOT_ASKED, 0, 0),
        (ANSWER_SILENCE, 0, 1),
        (ANSWER_ABORT, errno.ECONNREFUSED, 3),
        (ANSWER_SEND_ERROR, errno.ENETUNREACH, 1),
    ):
        start.answer, start.error, start.inits = answer, error, inits
        reports += address_reports([start], 0)
    failure = connect_failure(code, reports)
    assert isinstance(failure, builtin)
    assert isinstance(failure, sctpx.ConnectError)
    assert failure.errno == code
    assert failure.report == tuple(reports)
    assert "(192.0.2.1 UDP port 9899: not asked; 192.0.2.1 UDP port 9899: silence to 1 INIT; " in str(failure)
    assert "; 192.0.2.1 UDP port 9899: ABORT to 3 INITs, Connection refused: there is SCTP, but" in str(failure)


@pytest.mark.parametrize(
    ("report", "words"),
    [
        (
            {"address": "192.0.2.1", "source": "127.0.0.1", "answer": "send error", "error": errno.EINVAL},
            "127.0.0.1 is a loopback address, which reaches nobody but this host",
        ),
        ({"address": "2001:db8::1", "source": "::1", "answer": "silence"}, "::1 is a loopback address"),
        (
            {"address": "fe80::1", "answer": "send error", "error": errno.EINVAL},
            "incomplete without its link: fe80::1%",
        ),
        (
            {"address": "fe80::1%4711", "answer": "send error", "error": errno.ENETUNREACH},
            "this host has no interface 4711",
        ),
        (
            {"address": "fe80::1%eth0", "answer": "send error", "error": errno.ENETUNREACH},
            "no local address is on the link eth0",
        ),
        ({"address": "192.0.2.1", "answer": "send error", "error": errno.EINVAL}, "SCTP without UDP"),
        ({"address": "::1", "answer": "send error", "error": errno.EAFNOSUPPORT}, "no local address is of its family"),
        (
            {"address": "192.0.2.1", "udp_port": 9, "answer": "send error", "error": errno.EHOSTUNREACH},
            "192.0.2.1 UDP port 9: send error, No route to host",
        ),
        (
            {"address": "192.0.2.1", "udp_port": 9, "answer": "ICMP", "error": errno.ECONNREFUSED},
            "no program receives at that UDP port",
        ),
        ({"address": "192.0.2.1", "answer": "ABORT", "error": errno.ECONNREFUSED}, "nobody listens at that SCTP port"),
        (
            {"address": "192.0.2.1", "answer": "ABORT", "error": errno.ECONNREFUSED, "causes": ((4, b""),)},
            "Connection refused (Out of Resource): the peer takes no more associations now",
        ),
        (
            {"address": "192.0.2.1", "answer": "silence", "udp_port": 9899},
            "no such host, a firewall, or a peer that does not speak SCTP over",
        ),
        ({"address": "192.0.2.1", "answer": "silence"}, "silence): no such host, or a firewall"),
    ],
)
def test_a_failed_connect_says_what_is_wrong_in_plain_words(report: dict[str, Any], words: str) -> None:
    assert words in str(connect_failure(report.get("error", errno.ETIMEDOUT), [AddressReport(**report)]))


def test_why_nobody_answers_is_guessed_only_if_nobody_does() -> None:
    silent = AddressReport(address="192.0.2.1", answer="silence")
    refusing = AddressReport(address="192.0.2.2", answer="ABORT", error=errno.ECONNREFUSED)
    assert "firewall" in str(connect_failure(errno.ETIMEDOUT, [silent, AddressReport(address="192.0.2.3")]))
    for others in ([], [AddressReport(address="192.0.2.3")], [silent, refusing]):
        assert "firewall" not in str(connect_failure(errno.ETIMEDOUT, others))


def test_a_long_report_is_told_in_part() -> None:
    reports = [AddressReport(address=f"192.0.2.{number}") for number in range(20)]
    text = str(connect_failure(errno.ETIMEDOUT, reports))
    assert "192.0.2.7" in text
    assert "192.0.2.8" not in text
    assert text.endswith("and 12 more)")


def test_every_answer_has_a_name() -> None:
    report = CoreReport(REMOTE, 0, b"", True, 0)
    names = []
    for answer in (
        ANSWER_NOT_ASKED,
        ANSWER_SILENCE,
        ANSWER_INIT_ACK,
        ANSWER_ABORT,
        ANSWER_ICMP,
        ANSWER_SEND_ERROR,
        ANSWER_MALFORMED,
        ANSWER_COOKIE_ECHO,
    ):
        report.answer = answer
        names.append(address_reports([report], 0)[0].answer)
    assert names == [
        "not asked",
        "silence",
        "INIT ACK",
        "ABORT",
        "ICMP",
        "send error",
        "malformed INIT ACK",
        "COOKIE ECHO",
    ]
