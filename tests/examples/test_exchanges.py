"""Each example shows its exchange, and what goes over the network is what tshark calls by the same names."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from tests.examples.capture import Capture
from tests.examples.programs import EXAMPLES, run

NAMES = sorted(path.stem for path in EXAMPLES.glob("*.py"))
WARNING = 0x00600000
"""The severity of what tshark finds wrong."""


class Expected(NamedTuple):
    """What an example prints last, and how tshark sees its messages."""

    last: str
    port: str
    ppid: str
    fields: tuple[str, ...]
    """The fields that tell the messages."""
    messages: list[str]
    """Their values; the messages that may come in any order are not among them."""


EXPECTED = {
    "ng_setup": Expected(
        "NG is set up with 'sctpx-amf', capacity 255",
        "38412",
        "60",
        ("ngap.procedureCode", "ngap.NGAP_PDU"),
        ["21 0", "21 1"],  # initiatingMessage, successfulOutcome
    ),
    "s1_setup": Expected(
        "S1 is set up with 'sctpx-mme', capacity 255",
        "36412",
        "18",
        ("s1ap.procedureCode", "s1ap.S1AP_PDU"),
        ["17 0", "17 1"],
    ),
    "diameter_s6a": Expected(
        "The HSS answered with result code 2001",
        "3868",
        "46",
        ("diameter.cmd.code", "diameter.flags.request"),
        ["257 1", "257 0", "316 1", "316 0", "282 1", "282 0"],
    ),
    "m3ua_asp": Expected(
        "ASP gets   ASP_DOWN_ACK     stream 0, PPID 3",
        "2905",
        "3",
        ("m3ua.message_class", "m3ua.message_type"),
        ["3 1", "3 4", "4 1", "4 3", "4 2", "4 4", "3 2", "3 5"],
    ),
}
NOTIFY = "0 1"


def test_every_example_is_tested_and_named_in_its_readme() -> None:
    assert sorted(EXPECTED) == NAMES
    readme = (EXAMPLES / "README.md").read_text()
    assert [name for name in NAMES if f"{name}.py" not in readme] == []


@pytest.mark.parametrize("name", NAMES)
def test_without_arguments_an_example_shows_the_exchange(name: str) -> None:
    done = run(name, link=None)
    assert (done.returncode, done.stderr) == (0, "")
    assert EXPECTED[name].last in done.stdout.splitlines()


@pytest.mark.parametrize("link", ["udp", "raw"])
@pytest.mark.parametrize("name", NAMES)
def test_the_messages_of_an_example_are_what_tshark_says(capturing: str, tmp_path: Path, name: str, link: str) -> None:
    expected = EXPECTED[name]
    with Capture(tmp_path / "packets.pcap") as capture:
        done = run(name, "--link", link, link=link)
    assert (done.returncode, done.stderr) == (0, "")
    asked = ("sctp.checksum.status", "_ws.expert.severity", "sctp.data_payload_proto_id", "sctp.data_sid", "sctp.port")
    packets = capture.fields(capturing, *asked, *expected.fields)
    assert {checksum for checksum, *_ in packets if checksum} == {"1"}
    assert [packet for packet in packets if any(int(one) >= WARNING for one in packet[1].split(",") if one)] == []
    sent = [packet[2:] for packet in packets if packet[2]]
    assert {(ppid, stream) for ppid, stream, *_ in sent} == {(expected.ppid, "0x0000")}
    assert all(expected.port in ports.split(",") for _, _, ports, *_ in sent)
    messages = [" ".join(message) for _, _, _, *message in sent]
    assert [message for message in messages if message != NOTIFY] == expected.messages
    assert messages.count(NOTIFY) == (2 if name == "m3ua_asp" else 0)


@pytest.mark.parametrize("name", NAMES)
def test_an_example_explains_itself(name: str) -> None:
    done = run(name, "--help")
    assert done.returncode == 0
    assert f"python examples/{name}.py" in done.stdout
