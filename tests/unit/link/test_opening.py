"""A link opened by its name."""

from __future__ import annotations

import errno

import pytest

from sctpx.link import (
    LINK_KINDS,
    RawLink,
    SeveralLinks,
    UdpLink,
    Way,
    check_kind,
    open_link,
    open_ways,
    several,
    ways_of,
)
from tests.namespaces import own_host


def test_each_kind_of_link_is_opened_by_its_name() -> None:
    with own_host():
        for kind, expected in zip(LINK_KINDS, (UdpLink, RawLink), strict=True):
            link = open_link(kind, ["127.0.0.1"])
            assert type(link) is expected
            assert link.addresses == [bytes((127, 0, 0, 1))]
            link.close()


def test_a_udp_link_gets_the_port_and_the_offload_it_was_asked_for() -> None:
    first = open_link("udp", ["127.0.0.1"], offload=False)
    assert isinstance(first, UdpLink)
    assert not first.gso
    with pytest.raises(OSError, match="taken") as failure:
        open_link("udp", ["127.0.0.1"], first.port)
    assert failure.value.errno == errno.EADDRINUSE
    first.close()


def test_another_name_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="link is 'tcp': not one of udp, raw"):
        check_kind("tcp")


@pytest.mark.parametrize(
    ("ways", "expected"), [(("udp",), UdpLink), (("raw",), RawLink), (("raw", "udp"), SeveralLinks)]
)
def test_a_link_that_goes_these_ways(ways: tuple[Way, ...], expected: type) -> None:
    with own_host():
        link = open_ways(ways, ["127.0.0.1"])
        assert type(link) is expected
        assert ways_of(link) == ways
        link.close()


@pytest.mark.parametrize("code", [errno.EPERM, errno.EBUSY, errno.EOPNOTSUPP, errno.ENOPROTOOPT])
def test_where_raw_sockets_cannot_be_opened_beside_udp_it_is_udp_alone(
    monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def refuse(*_: object, **__: object) -> RawLink:
        raise OSError(code, "no raw sockets here")

    monkeypatch.setattr(RawLink, "open", refuse)
    link = open_ways(("raw", "udp"), ["127.0.0.1"])
    assert ways_of(link) == ("udp",)
    link.close()
    with pytest.raises(OSError, match="no raw sockets here"):
        open_ways(("raw",), ["127.0.0.1"])


def test_what_is_wrong_with_the_address_is_told_and_leaves_nothing_open(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[UdpLink] = []
    close = UdpLink.close

    def refuse(*_: object, **__: object) -> RawLink:
        raise OSError(errno.EMFILE, "no descriptors left")

    def note(link: UdpLink) -> None:
        closed.append(link)
        close(link)

    monkeypatch.setattr(RawLink, "open", refuse)
    monkeypatch.setattr(UdpLink, "close", note)
    with pytest.raises(OSError, match="no descriptors left"):
        open_ways(("raw", "udp"), ["127.0.0.1"])
    assert len(closed) == 1


def test_a_udp_port_that_is_taken_can_be_done_without() -> None:
    with own_host():
        first = open_link("udp", ["127.0.0.1"])
        with pytest.raises(OSError, match=r'udp_port=.*or do without UDP by link="raw"') as failure:
            open_ways(("raw", "udp"), ["127.0.0.1"], first.port)
        assert failure.value.errno == errno.EADDRINUSE
        with pytest.raises(OSError, match="udp_port=") as failure:
            open_ways(("udp",), ["127.0.0.1"], first.port)
        assert "raw" not in str(failure.value)
        first.close()


def test_a_link_of_both_says_when_its_native_ports_take_too_many_descriptors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(several, "_most_descriptors", lambda: 7)
    with own_host():
        link = open_ways(("raw", "udp"), ["127.0.0.1", "127.0.0.2"])
        assert isinstance(link, SeveralLinks)
        for count in range(1, 3):
            assert not link.crowded
            link.open_port(5000 + count, link.addresses)
        assert link.crowded
        link.close_port(5001)
        assert not link.crowded
        link.close()
