"""The values of the pysctp drop-in: constants, notifications, parameters. Sockets are in tests/api/sockets."""

from __future__ import annotations

import socket
import sys

import pytest

from sctpx import structs as s
from sctpx.compat import pysctp as sctp
from sctpx.compat.pysctp import _sctp
from sctpx.compat.pysctp.events import info_values, notification_values
from sctpx.compat.pysctp.fields import fill, to_struct

BIG_ENDIAN_60 = int.from_bytes(bytes([0, 0, 0, 60]), sys.byteorder)
"""60 in network byte order, as C has it."""


def test_everything_can_be_imported_at_once_the_socket_module_included() -> None:
    names: dict[str, object] = {}
    exec("from sctpx.compat.pysctp import *", names)
    assert names["socket"] is socket
    assert {"sctpsocket_tcp", "sctpsocket_udp", "MSG_UNORDERED", "FLAG_EOR", "assoc_change"} <= set(names)
    assert all(hasattr(sctp, name) for name in sctp.__all__)


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("BINDX_ADD", 1),
        ("BINDX_REM", 2),
        ("MSG_UNORDERED", 1),
        ("MSG_ADDR_OVERRIDE", 2),
        ("MSG_ABORT", 4),
        ("MSG_EOF", 0x200),
        ("FLAG_NOTIFICATION", 0x8000),
        ("IPPROTO_SCTP", 132),
        ("SOL_SCTP", 132),
        ("TCP_STYLE", int(socket.SOCK_STREAM)),
        ("UDP_STYLE", int(socket.SOCK_SEQPACKET)),
    ],
)
def test_constants_are_those_of_c(name: str, number: int) -> None:
    assert getattr(sctp, name) == number


def test_the_states_and_errors_of_an_event_are_its_own_attributes() -> None:
    """Scripts look for their names in ``__dict__`` of the class."""
    for kind in (sctp.assoc_change, sctp.paddr_change):
        errors = {name: value for name, value in vars(kind).items() if name.startswith("error_")}
        assert sorted(errors.values()) == list(range(7))
        assert errors["error_PEER_FAULTY"] == 6
    assert sctp.assoc_change.state_COMM_UP == 0
    assert sctp.paddr_change.state_ADDR_CONFIRMED == 5
    assert sctp.status.state_ESTABLISHED == 4


def test_the_features_are_those_without_a_kernel() -> None:
    assert sctp.features() & sctp.HAVE_SCTP
    assert sctp.features() & (extensions := sctp.HAVE_SCTP_PRSCTP | sctp.HAVE_SCTP_ADDIP) == extensions
    assert not sctp.features() & sctp.HAVE_KERNEL_SCTP


# --- the module in C ---

# What the modules and programs of pysctp 0.7.3 ask it for.
CONSTANTS = """BINDX_ADD BINDX_REMOVE IPPROTO_SCTP MSG_ABORT MSG_ADDR_OVER MSG_DONTROUTE MSG_EOF MSG_EOR MSG_FIN
    MSG_NOTIFICATION MSG_SENDALL MSG_UNORDERED SCTP_ACTIVE SCTP_ADAPTATION_INDICATION SCTP_ADDR_ADDED
    SCTP_ADDR_AVAILABLE SCTP_ADDR_MADE_PRIM SCTP_ADDR_REMOVED SCTP_ADDR_UNREACHABLE SCTP_ASSOC_CHANGE SCTP_BOUND
    SCTP_CANT_STR_ASSOC SCTP_CLOSED SCTP_COMM_LOST SCTP_COMM_UP SCTP_COOKIE_ECHOED SCTP_COOKIE_WAIT SCTP_DATA_SENT
    SCTP_DATA_UNSENT SCTP_EMPTY SCTP_ESTABLISHED SCTP_FAILED_THRESHOLD SCTP_HEARTBEAT_SUCCESS SCTP_INACTIVE
    SCTP_INTERNAL_ERROR SCTP_LISTEN SCTP_PARTIAL_DELIVERY_ABORTED SCTP_PARTIAL_DELIVERY_EVENT SCTP_PEER_ADDR_CHANGE
    SCTP_PEER_FAULTY SCTP_RECEIVED_SACK SCTP_REMOTE_ERROR SCTP_RESPONSE_TO_USER_REQ SCTP_RESTART SCTP_SEND_FAILED
    SCTP_SHUTDOWN_ACK_SENT SCTP_SHUTDOWN_COMP SCTP_SHUTDOWN_EVENT SCTP_SHUTDOWN_GUARD_EXPIRES SCTP_SHUTDOWN_PENDING
    SCTP_SHUTDOWN_RECEIVED SCTP_SHUTDOWN_SENT SCTP_SN_TYPE_BASE SOCK_SEQPACKET SOCK_STREAM SOL_SCTP SPP_HB_DISABLED
    SPP_HB_ENABLED SPP_PMTUD_DISABLED SPP_PMTUD_ENABLED SPP_SACKDELAY_DISABLED SPP_SACKDELAY_ENABLED"""


def test_constants_are_found_by_their_names() -> None:
    found = {name: _sctp.getconstant(name) for name in CONSTANTS.split()}
    assert {type(number) for number in found.values()} == {int}
    assert (found["IPPROTO_SCTP"], found["MSG_EOF"], found["BINDX_REMOVE"]) == (132, 0x200, 2)
    assert found["SCTP_PEER_FAULTY"] == sctp.assoc_change.error_PEER_FAULTY == 6
    assert found["SPP_HB_DISABLED"] == sctp.paddrparams.flags_HB_DISABLED == 2
    assert found["MSG_DONTROUTE"] == sctp.FLAG_DONTROUTE
    assert found["MSG_NOTIFICATION"] == sctp.FLAG_NOTIFICATION
    with pytest.raises(ValueError, match="SCTP_NOTHING"):
        _sctp.getconstant("SCTP_NOTHING")


def test_what_there_is_is_told_one_by_one_as_by_features() -> None:
    answers = {
        sctp.HAVE_SCTP_MULTIBUF: _sctp.have_sctp_multibuf(),
        sctp.HAVE_SCTP_NOCONNECT: _sctp.have_sctp_noconnect(),
        sctp.HAVE_SCTP_PRSCTP: _sctp.have_sctp_prsctp(),
        sctp.HAVE_SCTP_ADDIP: _sctp.have_sctp_addip(),
        sctp.HAVE_SCTP_CANSET_PRIMARY: _sctp.have_sctp_setprimary(),
        sctp.HAVE_SCTP_SAT_NETWORK_CAPABILITY: _sctp.have_sctp_sat_network(),
    }
    assert answers == {flag: bool(sctp.features() & flag) for flag in answers}


# --- notifications ---


def made(notice: s.Notification) -> sctp.notification:
    """As ``sctp_recv`` makes it: of what was received."""
    return sctp.notification_factory(notification_values(s.unpack_notification(notice.pack())))


def test_an_association_change_has_the_values_of_its_struct() -> None:
    found = made(s.AssocChange(sac_state=3, sac_outbound_streams=10, sac_inbound_streams=20, sac_assoc_id=7))
    assert type(found) is sctp.assoc_change
    assert (found.type, found.flags) == (sctp.notification.type_ASSOC_CHANGE, 0)
    assert (found.state, found.outbound_streams, found.inbound_streams) == (found.state_SHUTDOWN_COMP, 10, 20)
    assert (found.error, found.assoc_id) == (0, 7)


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1"])
def test_an_address_change_has_the_address_as_a_pair(host: str) -> None:
    found = made(s.PaddrChange(spc_aaddr=(host, 5000), spc_state=1, spc_error=113, spc_assoc_id=7))
    assert isinstance(found, sctp.paddr_change)
    assert (found.addr, found.state, found.error, found.assoc_id) == ((host, 5000), 1, 113, 7)


def test_a_remote_error_has_its_cause_in_network_byte_order() -> None:
    found = made(s.RemoteError(sre_error=6, sre_assoc_id=7, sre_data=b"\xff"))
    assert isinstance(found, sctp.remote_error)
    assert (socket.ntohs(found.error), found.assoc_id, found.data) == (6, 7, b"\xff")


def test_a_failed_message_has_how_it_was_sent() -> None:
    info = s.SndRcvInfo(sinfo_stream=3, sinfo_ppid=60, sinfo_context=9, sinfo_assoc_id=7)
    found = made(s.SendFailed(ssf_flags=1, ssf_error=12, ssf_info=info, ssf_assoc_id=7, ssf_data=b"\xfflost"))
    assert isinstance(found, sctp.send_failed)
    assert (found.flags, found.error, found.assoc_id, found.data) == (found.flag_DATA_SENT, 12, 7, b"\xfflost")
    assert (found.info.stream, found.info.ppid, found.info.context) == (3, BIG_ENDIAN_60, 9)


def test_the_other_notifications_have_their_values() -> None:
    shutdown = made(s.ShutdownEvent(sse_assoc_id=7))
    assert isinstance(shutdown, sctp.shutdown_event)
    assert shutdown.assoc_id == 7
    adaptation = made(s.AdaptationEvent(sai_adaptation_ind=5, sai_assoc_id=7))
    assert isinstance(adaptation, sctp.adaptation_event)
    assert (adaptation.adaptation_ind, adaptation.assoc_id) == (5, 7)
    aborted = made(s.PdapiEvent(pdapi_assoc_id=7))
    assert isinstance(aborted, sctp.pdapi_event)
    assert (aborted.indication, aborted.assoc_id) == (aborted.indication_PD_ABORTED, 7)


def test_a_notification_pysctp_has_no_name_for_is_told_by_its_type() -> None:
    found = made(s.SenderDryEvent(sender_dry_assoc_id=7))
    assert type(found) is sctp.notification
    assert found.type == s.SenderDryEvent.TYPE


def test_a_notification_has_a_type() -> None:
    with pytest.raises(ValueError, match="type"):
        sctp.notification_factory({"state": 1})


def test_what_is_told_of_a_message_is_as_in_c() -> None:
    info = s.SndRcvInfo(sinfo_stream=3, sinfo_ssn=4, sinfo_flags=1, sinfo_ppid=60, sinfo_tsn=5, sinfo_assoc_id=7)
    found = sctp.sndrcvinfo(info_values(info))
    assert (found.stream, found.ssn, found.flags, found.tsn, found.assoc_id) == (3, 4, sctp.MSG_UNORDERED, 5, 7)
    assert found.ppid == BIG_ENDIAN_60
    assert vars(sctp.sndrcvinfo(info_values(None))) == vars(sctp.sndrcvinfo())


# --- parameters ---


@pytest.mark.parametrize(
    ("kind", "struct"),
    [
        (sctp.rtoinfo, s.RtoInfo(srto_assoc_id=7, srto_initial=1, srto_max=2, srto_min=3)),
        (sctp.assocparams, s.AssocParams(sasoc_assoc_id=7, sasoc_asocmaxrxt=1, sasoc_cookie_life=2)),
        (
            sctp.paddrparams,
            s.PaddrParams(
                spp_assoc_id=7, spp_address=("192.0.2.1", 5000), spp_hbinterval=1, spp_pathmaxrxt=2, spp_flags=1
            ),
        ),
        (sctp.paddrinfo, s.PaddrInfo(spinfo_assoc_id=7, spinfo_address=("2001:db8::1", 5000, 0, 0), spinfo_rto=8)),
    ],
)
def test_parameters_go_into_an_object_and_back(kind: type, struct: s.Struct) -> None:
    found = kind()
    fill(found, struct)
    assert to_struct(type(struct), found).pack() == struct.pack()
    assert vars(found).keys() == vars(kind()).keys()


def test_no_address_is_an_empty_host() -> None:
    found = sctp.paddrparams()
    fill(found, s.PaddrParams())
    assert found.sockaddr == ("", 0)
    assert to_struct(s.PaddrParams, found).spp_address is None


def test_a_status_has_the_primary_address_in_it() -> None:
    found = sctp.status()
    fill(found, s.Status(sstat_state=4, sstat_primary=s.PaddrInfo(spinfo_address=("192.0.2.1", 5000), spinfo_cwnd=9)))
    assert (found.state, found.primary.sockaddr, found.primary.cwnd) == (4, ("192.0.2.1", 5000), 9)
