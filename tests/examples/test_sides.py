"""Each side of an example against a peer that knows nothing of the example: what it sends first, what it does with
answers, and how it ends when there are none.

The bytes that the peers send are written out, as tshark reads them.
"""

from __future__ import annotations

import signal

import pytest

from tests.examples.peers import ELSEWHERE, HOME, HOST, connected, listening, ready, receive, send
from tests.examples.programs import LIMIT, run, running, serving

pytestmark = pytest.mark.udp_9899

FAILURE = {"ng_setup": "40150008000001000f40018a", "s1_setup": "401100080000010002400144"}
ASP_UP, ASP_ACTIVE, ASP_UP_ACK = "0100030100000008", "0100040100000008", "0100030400000008"
DESTINATION_AVAILABLE = "0100020200000008"
UNEXPECTED_MESSAGE = "0100000000000010000c000800000006"
UNSUPPORTED_VERSION = "0200030100000008"


# --- clients ---


@pytest.mark.parametrize(
    ("name", "role", "port", "ppid", "procedure"),
    [("ng_setup", "gnb", 38412, 60, 21), ("s1_setup", "enb", 36412, 18, 17)],
)
def test_a_base_station_sends_its_request_and_fails_when_it_is_refused(
    name: str, role: str, port: int, ppid: int, procedure: int
) -> None:
    with listening(port) as server, running(name, role, HOST) as program:
        connection, _ = server.accept()
        with connection:
            ready(connection)
            assert receive(connection, ppid)[:2] == bytes([0, procedure])  # An initiatingMessage.
            send(connection, FAILURE[name], ppid)
            assert connection.recv(100) == b""
        output, errors = program.communicate(timeout=LIMIT)
    assert (program.returncode, errors) == (1, "")
    assert output.splitlines()[-1].endswith("is not set up: ('misc', 'unspecified')")


@pytest.mark.parametrize(
    ("name", "role", "port", "ppid"), [("ng_setup", "gnb", 38412, 60), ("s1_setup", "enb", 36412, 18)]
)
def test_a_base_station_that_gets_nonsense_says_so(name: str, role: str, port: int, ppid: int) -> None:
    with listening(port) as server, running(name, role, HOST) as program:
        connection, _ = server.accept()
        with connection:
            send(connection, "ff" * 20, ppid)
            _, errors = program.communicate(timeout=LIMIT)
    assert program.returncode == 1
    assert errors.startswith(f"{name}: this is no ")
    assert errors.count("\n") == 1


def test_an_asp_goes_up_and_fails_when_it_is_refused() -> None:
    with listening(2905) as server, running("m3ua_asp", "asp", HOST) as program:
        connection, _ = server.accept()
        with connection:
            ready(connection)
            assert receive(connection, 3).hex() == ASP_UP
            send(connection, ASP_UP_ACK, 3)
            send(connection, DESTINATION_AVAILABLE, 3)  # Nothing that the ASP waits for.
            active = receive(connection, 3)
            assert active.hex() == "0100040100000018" + "000b000800000002" + "0006000800000001"
            send(connection, UNEXPECTED_MESSAGE, 3)
            output, errors = program.communicate(timeout=LIMIT)
    assert (program.returncode, errors) == (1, "m3ua_asp: the gateway refuses ASP_ACTIVE\n")
    assert "OTHER" in output


def test_an_mme_asks_for_capabilities_first_whichever_address_is_alive() -> None:
    with listening(3868) as server, running("diameter_s6a", "mme", "127.0.0.99", HOST):
        connection, _ = server.accept()
        with connection:
            ready(connection)
            header = receive(connection, 46)[:8]
            assert (header[0], header[4] & 0x80, int.from_bytes(header[5:8], "big")) == (1, 0x80, 257)


@pytest.mark.parametrize(
    ("name", "role"), [("ng_setup", "gnb"), ("s1_setup", "enb"), ("m3ua_asp", "asp"), ("diameter_s6a", "mme")]
)
def test_a_client_fails_in_one_line_when_nobody_is_there(name: str, role: str) -> None:
    done = run(name, role, HOST)
    assert done.returncode == 1
    assert done.stderr.startswith(f"{name}: ")
    assert done.stderr.count("\n") == 1


# --- servers ---


@pytest.mark.parametrize(
    ("name", "role", "port", "ppid", "procedure"),
    [("ng_setup", "amf", 38412, 60, 21), ("s1_setup", "mme", 36412, 18, 17)],
)
def test_a_core_network_refuses_other_networks_and_aborts_what_is_nonsense(
    name: str, role: str, port: int, ppid: int, procedure: int
) -> None:
    with serving(name, role, HOST) as program:
        with connected(port) as sock:
            send(sock, "ff" * 20, ppid)
            with pytest.raises(ConnectionResetError, match="this is no"):
                sock.recv(100)
        with connected(port) as sock:
            send(sock, ELSEWHERE[name], ppid)
            assert receive(sock, ppid)[:2] == bytes([0x40, procedure])  # An unsuccessfulOutcome.
            send(sock, HOME[name], ppid)
            assert receive(sock, ppid)[:2] == bytes([0x20, procedure])  # A successfulOutcome.
        program.send_signal(signal.SIGINT)
        _, errors = program.communicate(timeout=LIMIT)
        assert (program.returncode, errors) == (130, "")


def test_a_gateway_wants_an_asp_up_before_it_is_active() -> None:
    with serving("m3ua_asp", "sg", HOST) as program:
        with connected(2905) as sock:
            send(sock, UNSUPPORTED_VERSION, 3)
            assert sock.recv(100) == b""
        with connected(2905) as sock:
            send(sock, ASP_ACTIVE, 3)
            assert receive(sock, 3).hex() == UNEXPECTED_MESSAGE
            send(sock, ASP_UP, 3)
            assert receive(sock, 3).hex() == ASP_UP_ACK
        program.send_signal(signal.SIGINT)
        _, errors = program.communicate(timeout=LIMIT)
        assert (program.returncode, errors) == (130, "")


def test_an_hss_serves_the_mme_that_comes_to_its_second_address() -> None:
    with serving("diameter_s6a", "hss", HOST, "127.0.0.2") as program:
        done = run("diameter_s6a", "mme", "127.0.0.2")
        assert (done.returncode, done.stderr) == (0, "")
        assert f"The HSS has the addresses 127.0.0.2, {HOST}" in done.stdout
        program.send_signal(signal.SIGINT)
        _, errors = program.communicate(timeout=LIMIT)
        assert (program.returncode, errors) == (130, "")
