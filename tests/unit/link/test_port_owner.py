"""Who has an SCTP port of an address on this host."""

from __future__ import annotations

import errno
import subprocess
import sys
from ipaddress import ip_address

import pytest

from sctpx.core.ip import with_zone
from sctpx.link.held_name import HeldName, is_held, name_holder
from sctpx.link.port_owner import is_owned, own
from tests.namespaces import own_host

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="abstract Unix sockets are Linux's")

# Documentation addresses: programs that run beside this test do not have them.
IPV4, IPV6, LINK_LOCAL = (ip_address(text).packed for text in ("192.0.2.77", "2001:db8::77", "fe80::77"))
ON_FIRST_LINK, ON_SECOND_LINK = with_zone(LINK_LOCAL, 1_000_001), with_zone(LINK_LOCAL, 1_000_002)
PORT = 36412

HOLD = """
import sys
from sctpx.link.held_name import HeldName
held = HeldName("sctpx-test/other")
print("held", flush=True)
sys.stdin.read()
"""


def test_a_port_is_owned_until_it_is_released() -> None:
    assert not is_owned(IPV4, PORT)
    owner = own(IPV4, PORT)
    assert is_owned(IPV4, PORT)
    owner.release()
    owner.release()
    assert not is_owned(IPV4, PORT)


def test_a_port_has_one_owner_for_each_address() -> None:
    owners = [own(IPV4, PORT), own(IPV4, PORT + 1), own(IPV6, PORT), own(ON_FIRST_LINK, PORT)]
    owners.append(own(ON_SECOND_LINK, PORT))
    for owner in owners:
        owner.release()


@pytest.mark.parametrize(("ip", "text"), [(IPV4, "192.0.2.77"), (ON_SECOND_LINK, "fe80::77%1000002")])
def test_a_port_that_is_taken_is_refused_with_the_address_and_the_owner(ip: bytes, text: str) -> None:
    owner = own(ip, PORT)
    with pytest.raises(OSError, match="taken") as failure:
        own(ip, PORT)
    owner.release()
    assert failure.value.errno == errno.EADDRINUSE
    assert failure.value.strerror == (
        f"SCTP port {PORT} of {text} is taken by this process: choose another (0 takes a free one)"
    )


def test_another_process_that_holds_a_name_is_told_and_its_end_frees_the_name() -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert is_held("sctpx-test/other")
        assert name_holder("sctpx-test/other").startswith(f"process {process.pid} (")
        process.kill()
        process.wait()
        assert not is_held("sctpx-test/other")
        assert name_holder("sctpx-test/other") == ""


def test_names_belong_to_a_host() -> None:
    with own_host():
        held = HeldName("sctpx-test/here")
        with own_host():
            assert not is_held("sctpx-test/here")
            HeldName("sctpx-test/here").release()
        assert is_held("sctpx-test/here")
        held.release()
