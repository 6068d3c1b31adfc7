"""Two hosts with two links between them, and a server on one of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sctpx.blocking.hub import hub
from tests.api.sockets.conftest import bounded as bounded
from tests.api.sockets.support import no_sockets_are_left
from tests.links.hosts import Host, hosts

SERVER = Path(__file__).with_name("server.py")


@pytest.fixture(autouse=True)
def clean(bounded: None) -> Iterator[None]:
    """No test leaves a socket behind."""
    before = list(hub.carriers)
    yield
    no_sockets_are_left(before)


@pytest.fixture(scope="module")
def client() -> Iterator[Host]:
    """A host with the links p0 and q0, at whose other ends ``server.py`` runs on all addresses.

    Each link has a link-local address of its own at both ends, and one that is the same on both links: fe80::a here,
    fe80::b there.
    """
    with hosts(2) as (here, there):
        for link, own, peer in (("p", "fe80::1", "fe80::2"), ("q", "fe80::3", "fe80::4")):
            here.connect(f"{link}0", there, f"{link}1")
            for host, end, addresses in ((here, 0, (own, "fe80::a")), (there, 1, (peer, "fe80::b"))):
                for address in addresses:
                    host.add(f"{address}/64", f"{link}{end}")
        with there.start(SERVER) as program:
            assert program.line() == "up"
            yield here
