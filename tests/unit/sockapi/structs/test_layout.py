"""Structs pack as C has them, and unpack what C packed."""

from __future__ import annotations

import errno
import struct
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sctpx.sockapi import structs
from sctpx.sockapi.structs import (
    AssocChange,
    AssocIds,
    AuthKey,
    HmacAlgo,
    InitMsg,
    PaddrChange,
    PaddrParams,
    PaddrThlds,
    RemoteError,
    SendFailedEvent,
    SetPrim,
    SndInfo,
    Status,
    Struct,
    UdpEncaps,
    unpack_notification,
)

ALL: list[type[Struct]] = [
    kind
    for kind in vars(structs).values()
    if isinstance(kind, type) and issubclass(kind, Struct) and "C_NAME" in vars(kind)
]

# sizeof on 64-bit Linux, as gcc has it.
SIZES = """
    linger 8  sctp_adaptation_event 16  sctp_add_streams 8  sctp_assoc_change 20  sctp_assoc_ids 4
    sctp_assoc_reset_event 20  sctp_assoc_stats 256  sctp_assoc_value 8  sctp_assocparams 20  sctp_authchunk 1
    sctp_authchunks 8  sctp_authinfo 2  sctp_authkey 8  sctp_authkey_event 20  sctp_authkeyid 8  sctp_default_prinfo 12
    sctp_event 8  sctp_event_subscribe 14  sctp_extrcvinfo 48  sctp_hmacalgo 4  sctp_initmsg 8  sctp_nxtinfo 16
    sctp_paddr_change 148  sctp_paddrinfo 152  sctp_paddrparams 156  sctp_paddrthlds 144  sctp_paddrthlds_v2 144
    sctp_pdapi_event 24  sctp_prinfo 8  sctp_probeinterval 144  sctp_prstatus 24  sctp_rcvinfo 28  sctp_recvv_rn 44
    sctp_remote_error 16  sctp_reset_streams 8  sctp_rtoinfo 16  sctp_sack_info 12  sctp_send_failed 48
    sctp_send_failed_event 32  sctp_sender_dry_event 12  sctp_sendv_spa 32  sctp_setadaptation 4  sctp_setpeerprim 132
    sctp_setprim 132  sctp_shutdown_event 12  sctp_sndinfo 16  sctp_sndrcvinfo 32  sctp_status 176
    sctp_stream_change_event 16  sctp_stream_reset_event 12  sctp_stream_value 8  sctp_tlv 8  sctp_udpencaps 144
    timeval 16
"""


def test_every_struct_has_its_size() -> None:
    words = SIZES.split()
    assert {kind.C_NAME: kind.size() for kind in ALL} == dict(zip(words[::2], map(int, words[1::2]), strict=True))


EVERY = pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.C_NAME)
FEW = settings(max_examples=15)


def draw_value(data: st.DataObject, kind: type[Struct]) -> Struct:
    """A struct of that kind with anything in it."""
    drawn: dict[str, Any] = {}
    for field in fields(kind):
        if isinstance(field.default, int):
            drawn[field.name] = data.draw(st.integers(0, 255))
        elif isinstance(field.default, bytes):
            drawn[field.name] = data.draw(st.binary(max_size=20))
        elif isinstance(field.default, tuple):
            drawn[field.name] = tuple(data.draw(st.lists(st.integers(0, 255), max_size=5)))
        elif field.default is None:
            drawn[field.name] = data.draw(st.sampled_from([None, ("192.0.2.1", 5000), ("2001:db8::1", 7, 0, 0)]))
    return kind(**drawn)


@EVERY
@FEW
@given(st.data())
def test_what_was_packed_unpacks_to_the_same(kind: type[Struct], data: st.DataObject) -> None:
    value = draw_value(data, kind)
    assert kind.unpack(value.pack()) == value
    assert len(value.pack()) >= kind.size()


@EVERY
def test_one_byte_less_than_the_struct_is_an_error(kind: type[Struct]) -> None:
    with pytest.raises(OSError, match=kind.C_NAME) as caught:
        kind.unpack(kind().pack()[: kind.size() - 1])
    assert caught.value.errno == errno.EINVAL


@EVERY
@FEW
@given(st.binary(max_size=300))
def test_any_bytes_are_a_value_or_an_error(kind: type[Struct], data: bytes) -> None:
    try:
        value = kind.unpack(data)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    else:
        assert kind.unpack(value.pack()) == value


@pytest.mark.parametrize("kind", [InitMsg, SndInfo, Status])
def test_one_byte_more_than_a_struct_of_fixed_size_is_an_error(kind: type[Struct]) -> None:
    with pytest.raises(OSError, match=kind.C_NAME) as caught:
        kind.unpack(kind().pack() + b"\0")
    assert caught.value.errno == errno.EINVAL


@pytest.mark.parametrize(
    "value",
    [
        SndInfo(snd_sid=65536),
        SndInfo(snd_sid=-1),
        SndInfo(snd_ppid=1 << 32),
        SndInfo(snd_sid="1"),  # type: ignore[arg-type]
        SndInfo(snd_ppid=None),  # type: ignore[arg-type]
        SetPrim(ssp_addr=("no address", 1)),
        SetPrim(ssp_addr=("192.0.2.1", 65536)),
        SetPrim(ssp_addr=("::ffff:nothing", 1, 0, 0)),
        SetPrim(ssp_addr=("192.0.2.1",)),  # type: ignore[arg-type]
        SetPrim(ssp_addr=5),  # type: ignore[arg-type]
        HmacAlgo(shmac_idents=(65536,)),
        AssocChange(sac_info="text"),  # type: ignore[arg-type]
    ],
)
def test_a_value_that_its_field_cannot_hold_is_an_error(value: Struct) -> None:
    with pytest.raises(OSError, match=r".+") as caught:
        value.pack()
    assert caught.value.errno == errno.EINVAL


# --- byte order ---


def test_numbers_are_in_host_byte_order() -> None:
    assert InitMsg(sinit_num_ostreams=3, sinit_max_attempts=8).pack() == struct.pack("=4H", 3, 0, 8, 0)


def test_the_ppid_is_the_number_on_the_wire_and_c_holds_it_in_network_byte_order() -> None:
    packed = struct.pack("=HH", 1, 0) + (60).to_bytes(4, "big") + struct.pack("=Ii", 0, 7)
    assert SndInfo.unpack(packed) == SndInfo(snd_sid=1, snd_ppid=60, snd_assoc_id=7)
    assert SndInfo(snd_sid=1, snd_ppid=60, snd_assoc_id=7).pack() == packed


def test_the_udp_port_and_the_cause_code_are_in_network_byte_order() -> None:
    assert UdpEncaps(sue_port=9899).pack()[136:138] == (9899).to_bytes(2, "big")
    assert RemoteError(sre_error=3).pack()[8:10] == b"\0\3"


# --- addresses ---


def test_an_address_is_a_sockaddr_storage_behind_a_hole_unless_the_struct_is_packed() -> None:
    sockaddr = struct.pack("=H", 2) + (5000).to_bytes(2, "big") + bytes([192, 0, 2, 1])
    packed = PaddrParams(spp_assoc_id=1, spp_address=("192.0.2.1", 5000)).pack()
    assert packed[4:132] == sockaddr.ljust(128, b"\0")
    assert PaddrThlds(spt_assoc_id=1, spt_address=("192.0.2.1", 5000)).pack()[8:136] == sockaddr.ljust(128, b"\0")


def test_no_address_is_all_zeros() -> None:
    assert SetPrim().pack() == bytes(132)
    assert SetPrim.unpack(bytes(132)).ssp_addr is None


def test_an_ipv4_mapped_address_goes_out_as_ipv6_and_comes_in_as_ipv4() -> None:
    packed = SetPrim(ssp_addr=("::ffff:192.0.2.1", 5000, 0, 0)).pack()
    assert packed[4:6] == struct.pack("=H", 10)
    assert packed[12:28] == bytes(10) + b"\xff\xff" + bytes([192, 0, 2, 1])
    assert SetPrim.unpack(packed).ssp_addr == ("192.0.2.1", 5000)


def test_an_address_of_no_known_family_is_an_error() -> None:
    with pytest.raises(OSError, match="family") as caught:
        SetPrim.unpack(bytes(4) + b"\x63\x63" + bytes(126))
    assert caught.value.errno == errno.EINVAL


# --- variable length ---


def test_elements_are_counted_whatever_the_caller_says() -> None:
    value = AssocIds(gaids_number_of_ids=9, gaids_assoc_id=(3, 4))
    assert value.gaids_number_of_ids == 2
    assert value.pack() == struct.pack("=Iii", 2, 3, 4)


def test_no_more_elements_are_read_than_are_counted() -> None:
    assert AssocIds.unpack(struct.pack("=Iii", 1, 3, 4)).gaids_assoc_id == (3,)
    assert AuthKey.unpack(struct.pack("=iHH", 0, 1, 2) + b"abc").sca_key == b"ab"


def test_more_elements_counted_than_there_are_is_an_error() -> None:
    with pytest.raises(OSError, match="counts") as caught:
        HmacAlgo.unpack(struct.pack("=IHH", 3, 1, 3))
    assert caught.value.errno == errno.EINVAL


def test_a_key_does_not_show_in_its_repr() -> None:
    assert "secret" not in repr(AuthKey(sca_key=b"secret"))


# --- notifications ---


def test_type_and_length_of_a_notification_are_filled_in() -> None:
    notification = AssocChange(sac_state=1, sac_info=b"abc")
    assert (notification.sac_type, notification.sac_length) == (0x8001, 23)
    assert (notification.sn_type, notification.sn_flags, notification.sn_length) == (0x8001, 0, 23)
    assert len(notification.pack()) == 23


@pytest.mark.parametrize("kind", structs.NOTIFICATIONS.values(), ids=lambda kind: kind.C_NAME)
@FEW
@given(st.data())
def test_a_notification_is_found_by_its_type(kind: type[Struct], data: st.DataObject) -> None:
    value = draw_value(data, kind)
    assert unpack_notification(value.pack()) == value


@pytest.mark.parametrize("data", [b"", bytes(7), bytes(8), PaddrChange().pack()[:-1], SendFailedEvent().pack()[:31]])
def test_bytes_that_are_no_notification_are_an_error(data: bytes) -> None:
    with pytest.raises(OSError, match=r".+") as caught:
        unpack_notification(data)
    assert caught.value.errno == errno.EINVAL
