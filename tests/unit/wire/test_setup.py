"""INIT and INIT ACK: layout, every parameter, and what happens to unknown ones (RFC 9260 sections 3.2.1 to 3.3.3)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctpx.wire.packet import chunks
from sctpx.wire.setup import Setup, initiate_tag, parse
from sctpx.wire.tlv import ParseError, item, items, join

IPV4 = bytes.fromhex("c0000201")
IPV6 = bytes.fromhex("20010db8 00000000 00000000 00000001")
FIXED = bytes.fromhex("01020304 00100000 000a ffff fffffffe")

STOP, STOP_AND_REPORT, SKIP, SKIP_AND_REPORT = 0x1234, 0x5234, 0x9234, 0xD234
"""Unknown parameter types of the four kinds (section 3.2.1, table 3)."""


def make() -> Setup:
    return Setup(0x01020304, 1 << 20, 10, 65535, 0xFFFFFFFE)


def contents(setup: Setup) -> tuple[object, ...]:
    """Everything an INIT or INIT ACK says, to be compared."""
    return (
        setup.initiate_tag,
        setup.a_rwnd,
        setup.outbound_streams,
        setup.inbound_streams,
        setup.initial_tsn,
        setup.addresses,
        setup.cookie,
        setup.cookie_preservative,
        setup.host_name,
        setup.extensions,
        setup.flags,
        setup.unrecognized,
    )


def value_of(encoded: bytes) -> bytes:
    """The value of the one chunk that was encoded."""
    [(_, _, value)] = chunks(bytes(12) + encoded)
    return value


def test_an_init_without_parameters_is_20_bytes() -> None:
    assert make().encode() == bytes.fromhex("01 00 0014") + FIXED


def test_an_init_ack_is_an_init_of_type_2() -> None:
    assert make().encode(ack=True) == bytes.fromhex("02 00 0014") + FIXED


def test_the_fixed_fields_are_parsed() -> None:
    setup = parse(FIXED)
    assert setup.initiate_tag == 0x01020304
    assert setup.a_rwnd == 1 << 20
    assert setup.outbound_streams == 10
    assert setup.inbound_streams == 65535
    assert setup.initial_tsn == 0xFFFFFFFE
    assert contents(setup) == contents(make())


def test_an_init_with_every_parameter_is_laid_out_as_in_the_figures() -> None:
    """RFC 9260 section 3.3.2.1."""
    setup = make()
    setup.addresses = [IPV4, IPV6]
    setup.cookie_preservative = 1000
    setup.extensions = bytes([0x82, 0xC1, 0xC0])
    encoded = setup.encode()
    # The padding of the last parameter is there but not in the chunk length.
    assert encoded == bytes.fromhex("01 00 003f") + FIXED + bytes.fromhex(
        "0005 0008 c00002010006 0014 20010db8 00000000 00000000 000000010009 0008 000003e88008 0007 82c1c0 00"
    )
    assert contents(parse(value_of(encoded))) == contents(setup)


def test_an_init_ack_carries_the_cookie_and_the_reports() -> None:
    """RFC 9260 sections 3.3.3.1 and 3.3.3.1.2."""
    setup = make()
    setup.addresses = [IPV4]
    setup.cookie = b"cookie"
    setup.unrecognized = [(0x4001, b""), (0xC123, b"abcde")]
    encoded = setup.encode(ack=True)
    assert encoded == bytes.fromhex("02 00 003d") + FIXED + bytes.fromhex(
        "0005 0008 c00002010007 000a 636f6f6b6965 00000008 0008 4001 00040008 000d c123 0009 6162636465 000000"
    )


def test_an_init_reports_nothing() -> None:
    setup = make()
    setup.unrecognized = [(0xC123, b"abcde")]
    assert setup.encode() == make().encode()


@pytest.mark.parametrize("length", range(9))
def test_the_padding_of_a_cookie_counts_only_if_something_follows(length: int) -> None:
    setup = make()
    setup.cookie = bytes(length)
    encoded = setup.encode(ack=True)
    assert int.from_bytes(encoded[2:4], "big") == 20 + 4 + length
    assert len(encoded) % 4 == 0
    setup.extensions = b"\xc0"
    encoded = setup.encode(ack=True)
    assert int.from_bytes(encoded[2:4], "big") == 20 + 4 + (length + 3) // 4 * 4 + 5
    assert contents(parse(value_of(encoded), ack=True)) == contents(setup)


def test_the_last_padding_may_be_counted_by_a_peer() -> None:
    assert parse(FIXED + item(0x8008, b"\xc0")).extensions == b"\xc0"


def test_the_state_cookie_counts_only_in_an_init_ack() -> None:
    value = FIXED + item(7, b"cookie") + item(5, IPV4)
    assert parse(value, ack=True).cookie == b"cookie"
    assert parse(value).cookie is None
    assert parse(value).addresses == [IPV4]


def test_a_host_name_is_kept_to_be_refused() -> None:
    """RFC 9260 section 3.3.2.1.4."""
    assert parse(FIXED + item(11, b"host\0")).host_name == b"host\0"
    assert parse(FIXED + item(11, b"")).host_name == b""
    assert parse(FIXED).host_name is None


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        (12, bytes.fromhex("0005 0006")),  # Supported Address Types
        (8, item(0xC123, b"")),  # Unrecognized Parameter
        (0x8000, b""),  # ECN Capable
    ],
)
@pytest.mark.parametrize("ack", [False, True])
def test_known_parameters_that_say_nothing_new_are_passed_over(kind: int, content: bytes, ack: bool) -> None:
    setup = parse(FIXED + item(kind, content) + item(5, IPV4), ack)
    assert setup.addresses == [IPV4]
    assert setup.unrecognized == []


@pytest.mark.parametrize(
    ("kind", "reported", "goes_on"),
    [
        (STOP, False, False),
        (STOP_AND_REPORT, True, False),
        (SKIP, False, True),
        (SKIP_AND_REPORT, True, True),
    ],
)
@pytest.mark.parametrize("ack", [False, True])
def test_the_high_bits_of_an_unknown_parameter_decide(kind: int, reported: bool, goes_on: bool, ack: bool) -> None:
    setup = parse(FIXED + item(5, IPV4) + item(kind, b"abcde") + item(6, IPV6), ack)
    assert setup.unrecognized == ([(kind, b"abcde")] if reported else [])
    # What came before stays in every case (section 3.2.1).
    assert setup.addresses == ([IPV4, IPV6] if goes_on else [IPV4])


def test_unknown_parameters_are_reported_in_their_order() -> None:
    value = FIXED + item(SKIP_AND_REPORT, b"1") + item(SKIP, b"2") + item(0xC0DE, b"") + item(STOP_AND_REPORT, b"3")
    assert parse(value + item(SKIP_AND_REPORT, b"4")).unrecognized == [
        (SKIP_AND_REPORT, b"1"),
        (0xC0DE, b""),
        (STOP_AND_REPORT, b"3"),
    ]


def test_a_report_holds_the_parameter_complete_with_type_and_length() -> None:
    setup = make()
    setup.unrecognized = parse(FIXED + item(SKIP_AND_REPORT, b"abcde")).unrecognized
    [(kind, report)] = items(value_of(setup.encode(ack=True)), len(FIXED))
    assert kind == 8
    assert items(report) == [(SKIP_AND_REPORT, b"abcde")]


def test_more_reports_than_fit_are_left_out() -> None:
    # A report is four bytes longer than what it reports, so the largest INIT could ask for twice its own size.
    init = parse(FIXED + item(SKIP_AND_REPORT, b"") * 16000)
    answer = make()
    answer.cookie = bytes(301)
    answer.unrecognized = init.unrecognized
    encoded = answer.encode(ack=True)
    reports = [kind for kind, _ in items(value_of(encoded), len(FIXED)) if kind == 8]
    assert 65535 - 16 < len(encoded) <= 65535
    assert len(reports) == (65535 - 20 - 305 - 3) // 8


def test_an_init_cut_between_its_parameters_is_a_shorter_init_and_elsewhere_malformed() -> None:
    setup = make()
    setup.addresses = [IPV4, IPV6]
    setup.extensions = b"\xc0"
    value = setup.encode()[4:]
    whole = {16: 0, 24: 1, 44: 2, 49: 2, 50: 2, 51: 2, 52: 2}
    for cut in range(len(value) + 1):
        if cut in whole:
            assert parse(value[:cut]).addresses == [IPV4, IPV6][: whole[cut]]
        else:
            with pytest.raises(ParseError):
                parse(value[:cut])


@pytest.mark.parametrize(
    "parameter",
    [
        "0005 0004",
        "0005 0007 c00002 00",
        "0005 0014 20010db8 00000000 00000000 00000001",
        "0006 0008 c0000201",
        "0009 0004",
        "0009 0006 0001 0000",
        "0005 0000",
        "9234 0003",
        "9234 0008",
    ],
)
@pytest.mark.parametrize("ack", [False, True])
def test_a_parameter_of_an_impossible_length_is_malformed(parameter: str, ack: bool) -> None:
    with pytest.raises(ParseError):
        parse(FIXED + bytes.fromhex(parameter), ack)


IPS = st.one_of(st.binary(min_size=4, max_size=4), st.binary(min_size=16, max_size=16))


@given(
    tag=st.integers(0, 0xFFFFFFFF),
    a_rwnd=st.integers(0, 0xFFFFFFFF),
    outbound=st.integers(0, 0xFFFF),
    inbound=st.integers(0, 0xFFFF),
    tsn=st.integers(0, 0xFFFFFFFF),
    ips=st.lists(IPS, max_size=5),
    cookie=st.none() | st.binary(max_size=50),
    increment=st.integers(0, 0xFFFFFFFF),
    extensions=st.binary(max_size=5),
    ack=st.booleans(),
)
def test_every_setup_can_be_parsed_back(
    tag: int,
    a_rwnd: int,
    outbound: int,
    inbound: int,
    tsn: int,
    ips: list[bytes],
    cookie: bytes | None,
    increment: int,
    extensions: bytes,
    ack: bool,
) -> None:
    setup = Setup(tag, a_rwnd, outbound, inbound, tsn)
    setup.addresses = ips
    setup.cookie = cookie if ack else None
    setup.cookie_preservative = increment
    setup.extensions = extensions
    assert contents(parse(value_of(setup.encode(ack)), ack)) == contents(setup)


@pytest.mark.parametrize(
    ("families", "encoded"), [([], ""), ([16], "000c 0006 0006"), ([16, 4], "000c 0008 0005 0006")]
)
def test_an_init_says_which_families_it_speaks_and_an_init_ack_does_not(families: list[int], encoded: str) -> None:
    setup = make()
    setup.families = families
    assert value_of(setup.encode()) == FIXED + bytes.fromhex(encoded)
    assert value_of(setup.encode(ack=True)) == FIXED


@pytest.mark.parametrize(
    ("types", "families"),
    [
        ("0005", {4}),
        ("0006", {16}),
        ("0005 0006", {4, 16}),
        ("0006 000b 0005", {4, 16}),
        ("0006 0005 00", {4, 16}),
        ("0105 0006", {16}),
        ("000b", set()),
        ("0b00 050b", set()),  # In the middle of two types there is none.
    ],
)
def test_the_families_that_a_peer_lists_are_those_it_speaks(types: str, families: set[int]) -> None:
    assert set(parse(FIXED + item(12, bytes.fromhex(types))).families) == families


def test_the_family_of_an_address_that_is_listed_is_spoken_too() -> None:
    """RFC 9260 section 5.1.2. Who lists no types says nothing of families."""
    assert set(parse(FIXED + item(12, b"\0\5") + item(6, IPV6)).families) == {4, 16}
    assert parse(FIXED + item(6, IPV6)).families == []


@pytest.mark.parametrize("indication", [0, 1, 0xFFFFFFFF])
def test_any_adaptation_indication_is_sent_zero_too(indication: int) -> None:
    """RFC 5061 section 4.2.6."""
    setup = make()
    setup.adaptation = indication
    encoded = value_of(setup.encode())
    assert encoded == FIXED + bytes.fromhex("c006 0008") + indication.to_bytes(4, "big")
    assert parse(encoded).adaptation == indication
    assert parse(FIXED).adaptation == -1


def test_the_first_zero_checksum_parameter_counts() -> None:
    """RFC 9653 section 4."""
    methods = [item(0x8001, bytes((0, 0, 0, method))) for method in (1, 2)]
    assert parse(FIXED + b"".join(methods)).error_detection_method == 1


def test_how_many_bytes_of_parameters_there_were_is_known() -> None:
    assert make().parameters == 0
    assert parse(FIXED).parameters == 0
    assert parse(FIXED + item(5, IPV4) + item(0xD234, b"a")).parameters == 16


def test_what_may_not_stand_in_an_init_is_ignored_alone() -> None:
    """RFC 5061 section 4.2: "the parameter MUST be ignored"; what follows counts."""
    misplaced = item(0xC001, bytes(4) + item(5, IPV4))
    assert parse(FIXED + misplaced + item(5, IPV4)).addresses == [IPV4]


@pytest.mark.parametrize(("value", "tag"), [(b"", 0), (b"\1\2\3", 0), (b"\1\2\3\4", 0x01020304), (FIXED, 0x01020304)])
def test_the_initiate_tag_of_a_malformed_init_is_read_if_it_is_there(value: bytes, tag: int) -> None:
    assert initiate_tag(value) == tag


@pytest.mark.parametrize("length", range(5, 9))
def test_a_report_is_given_if_it_fits_with_the_most_padding_there_may_be_before_it(length: int) -> None:
    setup = make()
    setup.cookie = bytes(length)
    without = len(join([(7, setup.cookie)])) + 20
    setup.unrecognized = [(SKIP_AND_REPORT, b"abcd")]
    limit = without + 3 + 12
    assert parse(value_of(setup.encode(ack=True, limit=limit - 1)), ack=True).parameters == 4 + length
    whole = setup.encode(ack=True, limit=limit)
    assert len(whole) <= limit
    assert whole == setup.encode(ack=True)
    assert whole == setup.encode(ack=True, reports=12)
    assert len(setup.encode(ack=True, reports=11)) < len(whole)


@pytest.mark.parametrize("kind", [0x8001, 0xC006])
@pytest.mark.parametrize("length", [0, 3, 5])
def test_a_number_of_another_length_is_malformed(kind: int, length: int) -> None:
    """Zero Checksum Acceptable (RFC 9653 section 4) and Adaptation Layer Indication (RFC 5061 section 4.2.6)."""
    with pytest.raises(ParseError):
        parse(FIXED + item(kind, bytes(length)))


def test_parameters_without_a_value_and_a_wish_for_a_primary_path_are_read() -> None:
    found = parse(FIXED + item(0x8000, b"") + item(0xC004, bytes(4) + item(5, IPV4)) + item(0xC000, b""))
    assert found.flags == [0x8000, 0xC000]
    assert found.primary == IPV4
