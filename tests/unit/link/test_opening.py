"""A link opened by its name."""

from __future__ import annotations

import errno

import pytest

from sctpx.link import LINK_KINDS, RawLink, UdpLink, check_kind, open_link
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
