"""``sctpx doctor`` as people run it: on this host, as it is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import pytest

import sctpx
from sctpx.link.choice import choose, host_facts
from tests.cli.commands import ENVIRONMENT, LIMIT, SCTPX, Running, parsed, run
from tests.namespaces import own_host

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="asks as Linux is asked")


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


def test_a_preset_that_is_none_is_one_line() -> None:
    done = _run_with({"SCTPX_LINK": "carrier-pigeon"}, "doctor")
    assert done.returncode == 1
    assert done.stderr.startswith(b"Error: SCTPX_LINK is 'carrier-pigeon'")
    assert done.stdout == b""


def test_a_preset_is_told_with_the_choice() -> None:
    done = _run_with({"SCTPX_LINK": "udp"}, "doctor", "--json")
    choice = json.loads(done.stdout)["choice"]
    assert (choice["preset"], choice["ways"]) == ("udp", ["udp"])


def _run_with(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        (*SCTPX, *arguments), env=ENVIRONMENT | environment, capture_output=True, timeout=LIMIT, check=False
    )


# --- asking a peer ---


@pytest.fixture
def other_host() -> Any:
    """A host where nobody else has UDP port 9899."""
    with own_host():
        yield


@pytest.mark.usefixtures("other_host")
def test_a_peer_that_is_asked_is_told_by_what_it_answers_in_each_way() -> None:
    with Running("listen", "-v", "127.0.0.1", "5000") as listener:
        assert listener.udp_port(listener.stderr) == "9899"
        told = examined("--port", "5000", "127.0.0.1")
        holders = told["network"]["port_holders"]
        assert [holder.partition(":")[0] for holder in holders] == ["127.0.0.1"]
        assert f"process {listener.process.pid} " in holders[0]
        probes = {probe["way"]: probe for probe in told["peers"][0]["probes"]}
        assert probes["udp"]["associated"]
        assert [entry["answer"] for entry in probes["udp"]["report"]] == ["INIT ACK"]
        assert not probes["raw"]["associated"]
        listener.interrupt()
        _, _, errors = listener.finish()
    assert b"aborted" in errors


@pytest.mark.usefixtures("other_host")
def test_a_peer_that_answers_in_no_way_ends_it_with_1() -> None:
    told = examined("--port", "5000", "127.0.0.1", status=1)
    probes = told["peers"][0]["probes"]
    assert [probe["way"] for probe in probes] == ["raw", "udp"]
    assert not any(probe["associated"] for probe in probes)
    assert all("refused" in probe["said"] for probe in probes)


# --- privileges, as they are in containers ---

NOBODY = ("--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all")


def _as(*options: str) -> dict[str, Any]:
    """What it tells of privileges, and of what auto takes, when it is started by setpriv(1) with these options."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("taking privileges away takes root, on Linux")
    words: Sequence[str] = ("setpriv", *options, *SCTPX, "doctor", "--json")
    try:
        done = subprocess.run(words, env=ENVIRONMENT, capture_output=True, timeout=LIMIT, check=False)
    except FileNotFoundError:
        pytest.skip("the command setpriv is missing (Debian: util-linux)")
    assert (done.returncode, done.stderr) == (0, b"")
    told = json.loads(done.stdout)
    return {**told["privileges"], "ways": told["choice"]["ways"]}


def test_root_with_nothing_but_net_raw_has_raw_sockets() -> None:
    """``docker run --cap-drop ALL --cap-add NET_RAW``, as root; Kubernetes with allowPrivilegeEscalation: false."""
    told = _as("--bounding-set=-all,+net_raw", "--inh-caps=-all", "--no-new-privs")
    assert (told["user"], told["effective"], told["bounding"], told["no_new_privileges"]) == (0, True, True, True)
    assert (told["raw_ipv4"], told["raw_ipv6"], told["ways"]) == ("", "", ["raw", "udp"])


def test_root_without_net_raw_has_udp() -> None:
    """``docker run --cap-drop NET_RAW``."""
    told = _as("--bounding-set=-net_raw", "--inh-caps=-all")
    assert (told["user"], told["effective"], told["bounding"]) == (0, False, False)
    assert told["raw_ipv4"] != ""
    assert told["ways"] == ["udp"]


def test_an_ambient_capability_gives_raw_sockets_to_any_user() -> None:
    """systemd's ``AmbientCapabilities=CAP_NET_RAW`` with ``User=``."""
    told = _as(*NOBODY[:3], "--inh-caps=-all,+net_raw", "--ambient-caps=-all,+net_raw", "--bounding-set=-all,+net_raw")
    assert (told["user"], told["effective"], told["ambient"]) == (65534, True, True)
    assert told["ways"] == ["raw", "udp"]
