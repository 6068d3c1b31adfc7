"""What calls of sockets take for addresses, and what becomes of it."""

from __future__ import annotations

import errno
import socket
from typing import Any

import pytest

import sctpx
from sctpx.blocking.host import HOSTS
from sctpx.sockapi.addresses import pack_ip
from sctpx.sockapi.resolving import listed, resolve_local, resolve_peer
from tests.api.running import NAMES
from tests.api.support import raises_errno

IPV4, IPV6 = socket.AF_INET, socket.AF_INET6


@pytest.fixture(autouse=True)
def names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names resolve from a table, so that no test depends on a resolver."""

    def getaddrinfo(host: str, _port: object, family: int = 0, **_: object) -> list[Any]:
        host.encode("idna")
        found: list[Any] = []
        for address in NAMES.get(host, ()):
            its = IPV6 if ":" in address else IPV4
            if family in (0, its):
                rest = (0, 0) if its == IPV6 else ()
                found.append((its, socket.SOCK_DGRAM, 17, "", (address, 0, *rest)))
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return found

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


def ips(*texts: str) -> list[bytes]:
    return [pack_ip(text) for text in texts]


def test_a_name_stands_for_all_its_addresses_at_its_place() -> None:
    peer = resolve_peer(HOSTS["udp",], [("127.0.0.9", 5), ("db.test", 5), ("127.0.0.2", 5)], IPV4, 9899)
    assert [address.ip for address in peer.addresses] == ips("127.0.0.9", "127.0.0.2", "127.0.0.3")
    assert (peer.port, peer.unusable) == (5, [])


def test_a_socket_of_family_ipv4_asks_for_ipv4_addresses_only() -> None:
    assert [a.ip for a in resolve_peer(HOSTS["udp",], [("dual.test", 5)], IPV4, 0).addresses] == ips("127.0.0.2")
    assert [a.ip for a in resolve_peer(HOSTS["udp",], [("dual.test", 5)], IPV6, 0).addresses] == ips("::1", "127.0.0.2")
    with pytest.raises(socket.gaierror):
        resolve_peer(HOSTS["udp",], [("six.test", 5)], IPV4, 0)


def test_an_ipv4_mapped_address_is_the_ipv4_address() -> None:
    for host in ("mapped.test", "::ffff:127.0.0.2"):
        assert [a.ip for a in resolve_peer(HOSTS["udp",], [(host, 5)], IPV6, 0).addresses] == ips("127.0.0.2")


def test_a_name_that_does_not_resolve_is_reported_and_the_others_are_used() -> None:
    peer = resolve_peer(HOSTS["udp",], [("nowhere.invalid", 5), ("127.0.0.2", 5)], IPV4, 0)
    assert [address.ip for address in peer.addresses] == ips("127.0.0.2")
    assert [(entry.address, entry.answer) for entry in peer.unusable] == [("nowhere.invalid", "name not resolved")]


def test_names_of_which_none_resolves_raise_what_the_resolver_says() -> None:
    with pytest.raises(socket.gaierror, match=r"nowhere\.invalid"):
        resolve_peer(HOSTS["udp",], [("nowhere.invalid", 5)], IPV4, 0)


def test_what_cannot_even_be_a_name_is_a_callers_mistake() -> None:
    with raises_errno(errno.EINVAL):
        resolve_peer(HOSTS["udp",], [("x" * 64 + ".test", 5)], IPV4, 0)


def test_an_address_has_its_own_udp_port_and_source_or_the_calls() -> None:
    own = sctpx.Address("127.0.0.2", udp_port=7, source="127.0.0.9")
    peer = resolve_peer(HOSTS["udp",], [(own, 5), ("127.0.0.3", 5)], IPV4, 9899)
    assert [(a.udp_port, a.source) for a in peer.addresses] == [(7, *ips("127.0.0.9")), (9899, b"")]


def test_local_names_resolve_and_unknown_ones_do_not() -> None:
    assert resolve_local(HOSTS["udp",], [("db.test", 5)], IPV4) == (ips("127.0.0.2", "127.0.0.3"), [5], ())
    with pytest.raises(socket.gaierror):
        resolve_local(HOSTS["udp",], [("nowhere.invalid", 5)], IPV4)
    with pytest.raises(TypeError):
        resolve_local(HOSTS["udp",], [(sctpx.Address("127.0.0.1"), 5)], IPV4)


@pytest.mark.parametrize("addresses", ["127.0.0.1", ["127.0.0.1"]])
def test_what_is_no_address_is_named(addresses: Any) -> None:
    with pytest.raises(TypeError, match=r"an address is \(host, port\), not '127\.0\.0\.1'"):
        listed(addresses)


def test_one_address_or_several_or_packed_ones_are_listed() -> None:
    one = ("127.0.0.1", 5)
    assert listed(one) == listed([one]) == listed((one,)) == [one]
    assert listed([one, ("127.0.0.2", 5)], 2) == [one, ("127.0.0.2", 5)]
    assert listed(("::1", 5, 0, 0)) == [("::1", 5, 0, 0)]
