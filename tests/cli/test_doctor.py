"""``sctpx doctor`` as people run it: on this host, as it is."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import sctpx
from sctpx.cli.doctor.kernel import kernel_facts
from sctpx.link.choice import choose, host_facts
from tests.cli.commands import LIMIT, SCTPX, Running, environment, invoke, parsed, run
from tests.namespaces import own_host


@pytest.fixture(autouse=True)
def auto(monkeypatch: pytest.MonkeyPatch) -> None:
    """What users have who set nothing."""
    monkeypatch.delenv("SCTPX_LINK", raising=False)


def examined(*arguments: str, status: int = 0) -> dict[str, Any]:
    done = run("doctor", "--json", *arguments)
    assert (done.returncode, done.stderr) == (status, b"")
    return parsed(done.stdout)


def test_it_tells_what_runs_here_and_what_auto_takes() -> None:
    told = examined()
    choice = choose(host_facts())
    assert told["system"]["sctpx"] == sctpx.__version__
    assert told["system"]["compiled"] == sctpx.COMPILED
    assert told["choice"] == {"preset": "auto", "ways": list(choice.ways), "reasons": list(choice.reasons)}
    assert told["peers"] == []
    assert any("127.0.0.1/8" in interface["addresses"] for interface in told["network"]["interfaces"])


def test_people_read_sections_without_colour_where_there_is_no_terminal() -> None:
    done = run("doctor", "127.0.0.1")
    assert done.returncode == 0, done.stderr
    text = done.stdout.decode()
    titles = ("This host", "Ways to carry SCTP here", "What auto takes", "Network", "Peer 127.0.0.1")
    assert [title for title in titles if f"\n{title}\n" not in text] == []
    assert "\x1b" not in text


def test_a_peer_is_told_by_its_addresses_their_sources_and_the_order_of_a_connect() -> None:
    told = examined("127.0.0.1,[::1]", "127.0.0.1")
    two, one = told["peers"]
    assert [entry["address"] for entry in two["addresses"]] == ["127.0.0.1", "::1"]
    assert [entry["source"] for entry in two["addresses"]] == ["127.0.0.1", "::1"]
    assert all(entry["mtu"] >= 1280 for entry in two["addresses"])
    ways = [way for way in told["choice"]["ways"] if way != "kernel"]
    expected = [("127.0.0.1", way) for way in ways] + [("::1", way) for way in ways]
    assert [(attempt["address"], attempt["way"]) for attempt in two["attempts"]][-len(expected) :] == expected
    assert one["asked"] == "127.0.0.1"


def test_a_name_that_does_not_resolve_ends_it_with_1_and_leaves_the_others() -> None:
    told = examined("nobody.invalid", "127.0.0.1", status=1)
    unknown, known = told["peers"]
    assert "nobody.invalid" in unknown["error"]
    assert unknown["addresses"] == unknown["attempts"] == []
    assert known["error"] == ""


def test_a_port_without_a_host_to_ask_is_a_mistake() -> None:
    done = invoke("doctor", "--port", "5000")
    assert done.returncode == 2
    assert b"--port is for asking a HOST" in done.stderr
    assert done.stdout == b""


def test_chunks_to_be_authenticated_where_nobody_is_asked_are_a_mistake() -> None:
    done = invoke("doctor", "--auth-chunks", "DATA", "127.0.0.1")
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"for asking a HOST, which takes --port" in done.stderr


def test_a_preset_that_is_none_is_one_line() -> None:
    done = _run_with({"SCTPX_LINK": "carrier-pigeon"}, "doctor")
    assert done.returncode == 1
    assert done.stderr.startswith(b"Error: SCTPX_LINK is 'carrier-pigeon'")
    assert done.stdout == b""


def test_a_preset_is_told_with_the_choice() -> None:
    done = _run_with({"SCTPX_LINK": "udp"}, "doctor", "--json")
    choice = json.loads(done.stdout)["choice"]
    assert (choice["preset"], choice["ways"]) == ("udp", ["udp"])


def test_a_way_that_is_named_and_cannot_be_gone_leaves_a_peer_out_of_reach() -> None:
    if kernel_facts().state == "loaded":
        pytest.skip("the kernel's SCTP is loaded here")
    done = _run_with({"SCTPX_LINK": "kernel"}, "doctor", "127.0.0.1")
    assert done.returncode == 1
    assert b"kernel does not work here: the call fails" in done.stdout


def _run_with(changed: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        (*SCTPX, *arguments), env=environment() | changed, capture_output=True, timeout=LIMIT, check=False
    )


WATCHED = """
import os, socket, sys

def watch(event, arguments):
    told = None
    if event == "socket.__new__" and arguments[3] == 132 and arguments[2] & 15 != socket.SOCK_RAW:
        told = "a socket of the kernel's SCTP"
    elif event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) and arguments[0] != os.devnull:
        told = f"writing to {arguments[0]}"
    elif event in ("socket.bind", "socket.sendto", "socket.sendmsg", "os.system", "os.exec"):
        told = event
    elif event == "subprocess.Popen" and "ldconfig" not in str(arguments):  # By which ctypes finds the C library.
        told = f"starting {arguments[1]}"
    if told:
        sys.stderr.write(told + "\\n")

sys.addaudithook(watch)
from sctpx.cli.main import main
main(["doctor", "127.0.0.1", "192.0.2.1"])
"""
"""The command, with a line on standard error for each deed that could change something."""


def test_it_changes_nothing_and_sends_nothing() -> None:
    """A socket with protocol SCTP would load the kernel's module; where that is loaded, one changes nothing."""
    if kernel_facts().state == "loaded":
        pytest.skip("the kernel's SCTP is loaded here")
    done = subprocess.run(
        [sys.executable, "-B", "-c", WATCHED], env=environment(), capture_output=True, timeout=LIMIT, check=False
    )
    assert b"How to get more" in done.stdout
    assert done.stderr == b""


# --- asking a peer ---


@pytest.fixture
def other_host() -> Any:
    """A host where nobody else has UDP port 9899."""
    with own_host():
        yield


@pytest.mark.usefixtures("other_host")
@pytest.mark.parametrize(("link", "ways"), [("udp", ["udp"]), ("auto", ["raw", "udp"])])
def test_a_peer_that_is_asked_is_told_by_what_it_answers_in_each_way(link: str, ways: list[str]) -> None:
    with Running("listen", "-v", "--link", link, "127.0.0.1", "5000") as listener:
        assert listener.udp_port(listener.stderr) == "9899"
        told = examined("--port", "5000", "127.0.0.1")
        (holder,) = told["network"]["port_holders"]
        assert holder.startswith(f"process {listener.process.pid} (")
        assert holder.endswith(" at 127.0.0.1")
        probes = {probe["way"]: probe for probe in told["peers"][0]["probes"]}
        assert [way for way, probe in probes.items() if probe["associated"]] == ways
        assert [way for way, probe in probes.items() if probe["report"][0]["answer"] == "INIT ACK"] == ways


@pytest.mark.usefixtures("other_host")
def test_a_peer_that_answers_in_no_way_ends_it_with_1() -> None:
    told = examined("--port", "5000", "127.0.0.1", status=1)
    probes = told["peers"][0]["probes"]
    assert [probe["way"] for probe in probes] == ["raw", "udp"]
    assert not any(probe["associated"] for probe in probes)
    assert all("refused" in probe["said"] for probe in probes)


@pytest.mark.usefixtures("other_host")
def test_a_peer_that_demands_a_key_is_asked_with_it(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_bytes(b"known to both")
    key.chmod(0o600)
    with Running("listen", "-v", "--link", "udp", "--auth-key", str(key), "127.0.0.1", "5000") as listener:
        listener.udp_port(listener.stderr)
        for options, associated in (((), False), (("--auth-key", str(key)), True)):
            told = examined("--port", "5000", *options, "127.0.0.1", status=0 if associated else 1)
            [probe] = [probe for probe in told["peers"][0]["probes"] if probe["way"] == "udp"]
            assert probe["associated"] is associated
