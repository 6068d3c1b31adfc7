"""Reading what people type."""

from __future__ import annotations

import click
import pytest

from sctpx.cli.parameters import addresses, integer, seconds, size

pytestmark = pytest.mark.texts


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", 1),
        ("65536", 65536),
        ("64Ki", 65536),
        ("64k", 64000),
        ("1.5M", 1_500_000),
        ("300MB", 300_000_000),
        ("1GiB", 1 << 30),
        (" 2 kb ", 2000),
    ],
)
def test_a_size_may_have_a_unit(text: str, expected: int) -> None:
    assert size(text) == expected


@pytest.mark.parametrize("text", ["", "0", "-1", "12x", "Ki", "1.2.3", "1e9", "0.2"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter):
        size(text)


def test_addresses_are_separated_by_commas() -> None:
    assert addresses("192.0.2.1") == ["192.0.2.1"]
    assert addresses("192.0.2.1, 2001:db8::1,host.example") == ["192.0.2.1", "2001:db8::1", "host.example"]
    assert addresses("[2001:db8::1],192.0.2.1") == ["2001:db8::1", "192.0.2.1"]


@pytest.mark.parametrize("text", ["", ",", "192.0.2.1,", "192.0.2.1,,192.0.2.2"])
def test_an_address_missing_from_the_list_is_noticed(text: str) -> None:
    with pytest.raises(click.BadParameter):
        addresses(text)


def test_an_integer_has_bounds() -> None:
    port = integer(1, 65535)
    assert (port("1"), port("65535")) == (1, 65535)
    for text in ("0", "65536", "-1", "1.0", "one", ""):
        with pytest.raises(click.BadParameter):
            port(text)


def test_a_time_is_not_negative_and_ends() -> None:
    assert (seconds("0"), seconds("2.5")) == (0, 2.5)
    for text in ("-1", "inf", "nan", "soon", ""):
        with pytest.raises(click.BadParameter):
            seconds(text)
