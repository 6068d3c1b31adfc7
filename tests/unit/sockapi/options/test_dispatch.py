"""``getsockopt`` and ``setsockopt``: which option, which association, typed or packed; an error changes nothing."""

from __future__ import annotations

import copy
import errno
import struct
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctpx.sockapi import constants as c
from sctpx.sockapi.options import OPTIONS, Option, Reach, pack_value
from sctpx.sockapi.structs import (
    AssocIds,
    AssocValue,
    AuthChunks,
    Event,
    EventSubscribe,
    InitMsg,
    PaddrInfo,
    PaddrParams,
    PrStatus,
    RtoInfo,
    SackInfo,
    SetPrim,
    Struct,
)
from sctpx.sockapi.structs.layout import Counted
from tests.sweeps import examples
from tests.unit.sockapi.holder import Socket, connected, make_socket, raises

USABLE = [option for option in OPTIONS if option.usable]
SETTABLE = [option for option in USABLE if option.set is not None]


def name_of(option: Option) -> str:
    return option.name


def snapshot(socket: Socket) -> Any:
    """All that options can change."""
    members = [
        (
            member.settings,
            member.core.config,
            [
                (
                    path.max_retrans,
                    path.potentially_failed_max_retrans,
                    path.primary_switchover_max_retrans,
                    path.heartbeat_interval,
                    path.encaps_port,
                )
                for path in member.core.paths
            ],
        )
        for member in socket.members.values()
    ]
    return copy.deepcopy((socket.settings, [(settings, config, paths) for settings, config, paths in members]))


def asked_of(option: Option, socket: Socket) -> Struct | None:
    """What a caller has to pass to read an option."""
    [association] = [member.core for member in socket.members.values()]
    if option.name == "SCTP_EVENT":
        return Event(se_type=c.SCTP_ASSOC_CHANGE)
    if option.name == "SCTP_GET_PEER_ADDR_INFO":
        return PaddrInfo(spinfo_address=("10.0.1.2", association.peer_port))
    if option.kind is PrStatus:
        return PrStatus(sprstat_assoc_id=association.id, sprstat_policy=c.SCTP_PR_SCTP_ALL)
    return None


# --- which option ---


@pytest.mark.parametrize("one_to_many", [False, True])
@pytest.mark.parametrize("option", USABLE, ids=name_of)
def test_a_usable_option_can_be_read_or_set_as_its_section_says(option: Option, one_to_many: bool) -> None:
    socket, _ = connected(one_to_many)
    assert (option.get is not None, option.set is not None) == ("get" in option.access, "set" in option.access)
    if option.get is None:
        with raises(errno.EOPNOTSUPP):
            socket.get(option.number, level=option.level)
    if option.set is None:
        with raises(errno.EOPNOTSUPP):
            socket.set(option.number, 0 if option.kind is int else option.kind(), level=option.level)


@pytest.mark.parametrize("option", [option for option in OPTIONS if not option.usable], ids=name_of)
def test_an_option_whose_extension_is_not_there_is_not_supported(option: Option) -> None:
    socket, _ = connected()
    assert option.get is None
    assert option.set is None
    with raises(errno.EOPNOTSUPP):
        socket.get(option.number)
    with raises(errno.EOPNOTSUPP):
        socket.set(option.number, 1)


@pytest.mark.parametrize(("level", "name"), [(c.IPPROTO_SCTP, 99), (c.SOL_SOCKET, 9999), (6, 1)])
def test_an_option_that_does_not_exist_is_no_protocol_option(level: int, name: int) -> None:
    socket = make_socket()
    with raises(errno.ENOPROTOOPT):
        socket.get(name, level=level)
    with raises(errno.ENOPROTOOPT):
        socket.set(name, 1, level=level)


# --- values ---


@pytest.mark.parametrize("option", [option for option in SETTABLE if option.get is not None], ids=name_of)
def test_what_was_read_can_be_set_typed_or_packed_and_is_read_again(option: Option) -> None:
    socket, _ = connected(one_to_many=True)
    if option.name == "SCTP_I_WANT_MAPPED_V4_ADDR":
        socket.ipv6 = True
    assoc_id = next(iter(socket.members)) if option.reach is Reach.ASSOCIATION else None
    value = socket.get(option.number, asked_of(option, socket), assoc_id, option.level)
    socket.set(option.number, value, option.level)
    after = snapshot(socket)
    socket.set(option.number, pack_value(value, 1000), option.level)
    assert snapshot(socket) == after
    assert socket.get(option.number, asked_of(option, socket), assoc_id, option.level) == value


@pytest.mark.parametrize("option", SETTABLE, ids=name_of)
def test_a_value_one_byte_short_or_of_another_type_is_an_error_and_nothing_changes(option: Option) -> None:
    socket, _ = connected(one_to_many=True)
    before = snapshot(socket)
    packed = bytes(4) if not issubclass(option.kind, Struct) else option.kind().pack()
    # What counts its elements may be in a buffer that is longer.
    longer = [] if issubclass(option.kind, Counted) else [packed + b"\0"]
    for wrong in (packed[:-1], b"", *longer, "text", None, 1.5, SetPrim if option.kind is int else 7):
        with raises(errno.EINVAL):
            socket.set(option.number, wrong, option.level)  # type: ignore[arg-type]
    assert snapshot(socket) == before


def any_bytes(data: st.DataObject, option: Option, assoc_id: int) -> bytes:
    """Bytes for an option: mostly zeros, about as many as it has, often with an address of the peer in them."""
    kind = option.kind
    packed = bytearray(4)
    if issubclass(kind, Struct):
        known: dict[str, Any] = {}
        for name in kind.offsets():
            if name.endswith(("address", "addr")) and data.draw(st.booleans()):
                known[name] = ("10.0.1.2", 5000)
            elif name.endswith("_assoc_id") and kind is not AssocIds and data.draw(st.booleans()):
                known[name] = assoc_id
        packed = bytearray(kind(**known).pack())
    size = len(packed)
    changes = st.dictionaries(st.integers(0, size - 1), st.integers(0, 255) | st.sampled_from([0, 1, 255]), max_size=6)
    for index, value in data.draw(changes).items():
        packed[index] = value
    length = data.draw(st.just(size) | st.integers(0, size + 8))
    return bytes(packed[:length]).ljust(length, b"\1")


def errno_of(call: Callable[[], object]) -> int:
    """The errno of the ``OSError`` that a call raises; 0 if it does not."""
    try:
        call()
    except OSError as error:
        return error.errno or -1
    return 0


@examples(200)
@given(option=st.sampled_from(USABLE), one_to_many=st.booleans(), data=st.data())
def test_any_bytes_are_a_value_or_an_error_and_then_nothing_changes(
    option: Option, one_to_many: bool, data: st.DataObject
) -> None:
    socket, pair = connected(one_to_many)
    value = any_bytes(data, option, pair.a.association.id)
    before = snapshot(socket)
    if code := errno_of(lambda: socket.set(option.number, value, option.level)):
        assert code in (errno.EINVAL, errno.EOPNOTSUPP)
        assert snapshot(socket) == before
    after = snapshot(socket)
    code = errno_of(lambda: pack_value(socket.get(option.number, value, level=option.level), 1000))
    assert code in (0, errno.EINVAL, errno.EOPNOTSUPP)
    assert snapshot(socket) == after


@pytest.mark.parametrize("option", [option for option in USABLE if option.get is not None], ids=name_of)
def test_a_buffer_one_byte_short_is_an_error(option: Option) -> None:
    socket, pair = connected(one_to_many=True)
    assoc_id = pair.a.association.id if option.reach in (Reach.ASSOCIATION, Reach.ADDRESS) else None
    value = socket.get(option.number, asked_of(option, socket), assoc_id, option.level)
    packed = pack_value(value, 1000)
    assert pack_value(value, len(packed)) == packed
    with raises(errno.ENOBUFS if isinstance(value, AuthChunks) else errno.EINVAL):
        pack_value(value, len(packed) - 1)


@pytest.mark.parametrize("option", [one for one in USABLE if one.get is not None and one.kind is not int], ids=name_of)
def test_what_is_asked_of_one_byte_short_or_of_another_type_is_an_error(option: Option) -> None:
    socket, _ = connected()
    assert issubclass(option.kind, Struct)
    packed = (asked_of(option, socket) or option.kind()).pack()
    for wrong in (packed[:-1], b"", "text", 7, SetPrim() if option.kind is not SetPrim else RtoInfo()):
        with raises(errno.EINVAL):
            socket.get(option.number, wrong, level=option.level)  # type: ignore[arg-type]


def test_a_struct_with_a_number_too_large_for_its_field_is_an_error() -> None:
    with raises(errno.EINVAL):
        make_socket().set(c.SCTP_INITMSG, InitMsg(sinit_num_ostreams=65536))
    with raises(errno.EINVAL):
        make_socket().set(c.SCTP_NODELAY, 1 << 31)


def test_the_shorter_structs_of_older_headers_are_accepted() -> None:
    socket = make_socket()
    socket.set(c.SCTP_EVENTS, EventSubscribe(sctp_association_event=1, sctp_sender_dry_event=1).pack()[:10])
    assert socket.settings.future.subscribed == {c.SCTP_ASSOC_CHANGE, c.SCTP_SENDER_DRY_EVENT}
    socket.set(c.SCTP_DELAYED_SACK, AssocValue(assoc_value=100).pack())
    assert socket.get(c.SCTP_DELAYED_SACK) == SackInfo(sack_delay=100, sack_freq=2)
    length = PaddrParams.offsets()["spp_ipv6_flowlabel"]
    socket.set(c.SCTP_PEER_ADDR_PARAMS, PaddrParams(spp_pathmaxrxt=3).pack()[:length])
    assert socket.settings.future.config.path_max_retrans == 3


def test_a_value_is_packed_for_a_buffer_that_is_large_enough() -> None:
    assert pack_value(1, 4) == struct.pack("=i", 1)
    assert pack_value(AssocIds(gaids_assoc_id=(5,)), 8) == struct.pack("=Ii", 1, 5)
    with raises(errno.EINVAL):
        pack_value(1, 3)
    with raises(errno.EINVAL):
        pack_value(AssocIds(gaids_assoc_id=(5,)), 7)
    with raises(errno.ENOBUFS):
        pack_value(AuthChunks(gauth_chunks=(0,)), 8)


# --- which association ---


def rto_max(socket: Socket, assoc_id: int = 0) -> int:
    value = socket.get(c.SCTP_RTOINFO, assoc_id=assoc_id)
    assert isinstance(value, RtoInfo)
    return value.srto_max


def context(socket: Socket, assoc_id: int = 0) -> int:
    value = socket.get(c.SCTP_CONTEXT, assoc_id=assoc_id)
    assert isinstance(value, AssocValue)
    return value.assoc_value


@pytest.fixture
def many() -> Socket:
    """A one-to-many socket with one association."""
    return connected(one_to_many=True)[0]


def test_an_association_has_its_own_value(many: Socket) -> None:
    [assoc_id] = many.members
    many.set(c.SCTP_RTOINFO, RtoInfo(srto_assoc_id=assoc_id, srto_max=5000))
    assert (rto_max(many, assoc_id), rto_max(many)) == (5000, 60_000)
    assert many.members[assoc_id].core.config.rto_max == 5


def test_future_associations_are_those_that_begin_later(many: Socket) -> None:
    [assoc_id] = many.members
    many.set(c.SCTP_CONTEXT, AssocValue(assoc_id=c.SCTP_FUTURE_ASSOC, assoc_value=7))
    assert (context(many, assoc_id), context(many)) == (0, 7)
    assert many.settings.begin().context == 7


def test_current_associations_are_those_there_are(many: Socket) -> None:
    [assoc_id] = many.members
    many.set(c.SCTP_CONTEXT, AssocValue(assoc_id=c.SCTP_CURRENT_ASSOC, assoc_value=7))
    assert (context(many, assoc_id), context(many)) == (7, 0)


def test_all_associations_are_both(many: Socket) -> None:
    [assoc_id] = many.members
    many.set(c.SCTP_CONTEXT, AssocValue(assoc_id=c.SCTP_ALL_ASSOC, assoc_value=7))
    assert (context(many, assoc_id), context(many)) == (7, 7)


def test_an_option_without_an_association_in_it_is_for_all(many: Socket) -> None:
    [member] = many.members.values()
    many.set(c.SCTP_NODELAY, 1)
    assert member.core.config.nodelay
    assert many.settings.future.config.nodelay


@pytest.mark.parametrize("option", [option for option in SETTABLE if option.reach is Reach.FUTURE], ids=name_of)
@pytest.mark.parametrize("assoc_id", [c.SCTP_CURRENT_ASSOC, c.SCTP_ALL_ASSOC, 99, -1])
def test_it_is_an_error_to_set_such_options_for_several_associations(
    many: Socket, option: Option, assoc_id: int
) -> None:
    value = many.get(option.number, assoc_id=c.SCTP_FUTURE_ASSOC)
    field = next(name for name in type(value).offsets() if name.endswith("assoc_id"))  # type: ignore[union-attr]
    with raises(errno.EINVAL):
        many.set(option.number, type(value)(**{field: assoc_id}))


@pytest.mark.parametrize("assoc_id", [c.SCTP_CURRENT_ASSOC, c.SCTP_ALL_ASSOC, 99, -1])
def test_the_value_of_several_associations_cannot_be_read(many: Socket, assoc_id: int) -> None:
    with raises(errno.EINVAL):
        many.get(c.SCTP_CONTEXT, assoc_id=assoc_id)


def test_an_option_for_an_association_needs_one(many: Socket) -> None:
    with raises(errno.EINVAL):
        many.get(c.SCTP_STATUS)
    with raises(errno.EINVAL):
        make_socket().get(c.SCTP_STATUS)


@pytest.mark.parametrize("assoc_id", [0, 1, 2, 99])
def test_a_one_to_one_socket_ignores_the_identifier(assoc_id: int) -> None:
    socket, pair = connected()
    socket.set(c.SCTP_RTOINFO, RtoInfo(srto_assoc_id=assoc_id, srto_max=5000))
    assert pair.a.association.config.rto_max == 5
    assert rto_max(socket, assoc_id) == 5000
    assert socket.settings.future.config.rto_max == 60


def test_a_one_to_one_socket_without_an_association_sets_what_it_will_have() -> None:
    socket = make_socket()
    socket.set(c.SCTP_RTOINFO, RtoInfo(srto_assoc_id=99, srto_max=5000))
    assert socket.settings.begin().config.rto_max == 5


def test_if_one_of_several_associations_cannot_have_a_value_none_gets_it(many: Socket) -> None:
    [member] = many.members.values()
    many.settings.future.config = member.core.config
    many.set(c.SCTP_CONTEXT, AssocValue(assoc_id=c.SCTP_ALL_ASSOC, assoc_value=1))
    before = snapshot(many)
    with raises(errno.EINVAL):
        many.set(c.SCTP_DELAYED_SACK, SackInfo(sack_assoc_id=c.SCTP_ALL_ASSOC, sack_delay=501))
    assert snapshot(many) == before


def test_opt_info_takes_an_identifier_for_options_that_have_none() -> None:
    socket, pair = connected(one_to_many=True)
    assert socket.get(c.SCTP_NODELAY, assoc_id=pair.a.association.id) == 0
    assert isinstance(socket.get(c.SCTP_INITMSG, assoc_id=pair.a.association.id), InitMsg)


def test_the_identifier_of_opt_info_takes_precedence(many: Socket) -> None:
    [assoc_id] = many.members
    many.set(c.SCTP_CONTEXT, AssocValue(assoc_id=assoc_id, assoc_value=7))
    assert many.get(c.SCTP_CONTEXT, AssocValue(assoc_id=99), assoc_id) == AssocValue(assoc_id=assoc_id, assoc_value=7)


def test_accepted_sockets_begin_with_the_options_of_the_listening_one() -> None:
    socket = make_socket()
    socket.set(c.SCTP_RECVRCVINFO, 1)
    socket.set(c.SCTP_CONTEXT, AssocValue(assoc_value=7))
    accepted = socket.settings.inherit()
    socket.set(c.SCTP_RECVRCVINFO, 0)
    socket.set(c.SCTP_CONTEXT, AssocValue(assoc_value=8))
    assert accepted.recvrcvinfo
    assert accepted.future.context == 7
