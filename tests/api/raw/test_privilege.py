"""A program that may not open raw sockets is told what it lacks and how to get it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator

import pytest

from tests.api.raw.child import Child, ChildError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="CAP_NET_RAW is Linux's")


@pytest.fixture(scope="module")
def unprivileged() -> Iterator[Child]:
    """A program without CAP_NET_RAW, whoever runs the tests."""
    if os.geteuid() == 0 and shutil.which("setpriv") is None:
        pytest.skip("the command setpriv is missing (Debian: util-linux)")
    without = ["setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw"] if os.geteuid() == 0 else []
    with Child(without) as child:
        yield child


@pytest.mark.parametrize("verb", ["listen", "connect"])
def test_without_the_capability_raw_ip_is_refused_with_the_ways_to_get_it(unprivileged: Child, verb: str) -> None:
    with pytest.raises(ChildError) as failure:
        unprivileged.ask(verb, hosts=["127.0.0.1"], port=5001)
    assert failure.value.code == "EPERM"
    for word in ("CAP_NET_RAW", "setcap", os.path.realpath(sys.executable), "docker run --cap-add NET_RAW"):
        assert word in str(failure.value)
    for word in ("securityContext", "AmbientCapabilities", 'link="udp"'):
        assert word in str(failure.value)
