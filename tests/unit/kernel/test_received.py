"""What the kernel hands over, as sctpx tells it. The bytes are those that Linux 6.1 wrote."""

from __future__ import annotations

import struct

from sctpx import structs as s
from sctpx.kernel.received import infos, notification
from sctpx.sockapi import constants as c

# SCTP_COMM_LOST by an ABORT with the cause "User-Initiated Abort" and the reason "why".
LOST = bytes.fromhex("018000001b00000001000000000000000f000000000c0007") + b"why"
LOST = LOST[:10] + b"\x00\x0c" + LOST[12:]


def test_the_cause_of_a_lost_association_is_in_host_byte_order_and_its_chunk_is_whole() -> None:
    found = notification(LOST)
    assert isinstance(found, s.AssocChange)
    assert (found.sac_state, found.sac_error, found.sac_assoc_id) == (c.SCTP_COMM_LOST, 12, 15)
    assert found.sac_info == b"\x06\x00\x00\x0b\x00\x0c\x00\x07why"
    assert s.unpack_notification(found.pack()) == found


def test_an_association_that_is_up_has_no_chunk() -> None:
    up = s.AssocChange(sac_state=c.SCTP_COMM_UP, sac_outbound_streams=10, sac_inbound_streams=5, sac_assoc_id=3)
    assert notification(up.pack()) == up


def test_the_error_of_a_failed_message_is_in_host_byte_order() -> None:
    wire = s.SendFailedEvent(ssfe_error=struct.unpack("=H", b"\x00\x0c")[0], ssfe_data=b"x")
    found = notification(wire.pack())
    assert isinstance(found, s.SendFailedEvent)
    assert (found.ssfe_error, found.ssfe_data) == (12, b"x")


def test_linux_has_no_errno_for_the_change_of_a_path() -> None:
    changed = s.PaddrChange(spc_aaddr=("192.0.2.1", 7), spc_state=c.SCTP_ADDR_AVAILABLE, spc_error=2, spc_assoc_id=4)
    found = notification(changed.pack())
    assert isinstance(found, s.PaddrChange)
    assert (found.spc_error, found.spc_aaddr) == (0, ("192.0.2.1", 7))


def test_a_notification_of_an_unknown_type_is_none() -> None:
    assert notification(struct.pack("=HHI", 0x8FFF, 0, 8)) is None
    assert notification(b"\x01") is None


def test_control_messages_become_structs_and_others_are_passed_over() -> None:
    info = s.RcvInfo(rcv_sid=3, rcv_ppid=60, rcv_tsn=9)
    following = s.NxtInfo(nxt_sid=4)
    control = [
        (c.IPPROTO_SCTP, c.SCTP_RCVINFO, info.pack() + bytes(4)),
        (c.IPPROTO_SCTP, c.SCTP_NXTINFO, following.pack()),
        (c.SOL_SOCKET, c.SCTP_RCVINFO, b""),
        (c.IPPROTO_SCTP, 99, b""),
    ]
    assert infos(control) == {c.SCTP_RCVINFO: info, c.SCTP_NXTINFO: following}
