"""The usrsctp driver against itself: what the other tests here rely on.

Two hosts with two addresses and two cables each: A1 - B1 and A2 - B2.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.interop.conftest import StartUsrsctp
from tests.interop.usrsctp import PeerError, Usrsctp, content, digest

A = ["127.0.1.1", "127.0.2.1"]
B = ["127.0.1.2", "127.0.2.2"]
PORT = 5001
SEND_SPACE = 4 << 20


class Pair:
    """Two hosts and an association between them."""

    def __init__(self, start: StartUsrsctp, style: str = "one-to-one", **options: Any) -> None:
        self.a: Usrsctp = start(A, B, send_space=SEND_SPACE)
        self.b: Usrsctp = start(B, A, send_space=SEND_SPACE)
        listener = self.b.open(style, port=PORT, listen=True, udp_port=self.a.udp_port, **options)
        if style == "one-to-one":
            self.b.post("accept", socket=listener)
        self.client = self.a.open(style, udp_port=self.b.udp_port, **options)
        self.association: int = self.a.call("connectx", socket=self.client, addresses=B, port=PORT)["association"]
        self.server: int = self.b.reply()["socket"] if style == "one-to-one" else listener

    def events_of_b(self, until: str) -> list[str]:
        return [event["event"] for event in self.b.call("events", socket=self.server, until=until)["events"]]

    def events_of_a(self, until: str) -> list[str]:
        return [event["event"] for event in self.a.call("events", socket=self.client, until=until)["events"]]


def test_both_hosts_know_both_addresses_of_the_other(start_usrsctp: StartUsrsctp) -> None:
    pair = Pair(start_usrsctp)
    assert {path["address"] for path in pair.a.call("status", socket=pair.client)["paths"]} == set(B)
    assert "confirmed" in pair.events_of_b("confirmed")
    status = pair.b.call("status", socket=pair.server)
    assert status["state"] == "established"
    assert {path["address"] for path in status["paths"]} == set(A)
    assert set(pair.b.call("local", socket=pair.server)["addresses"]) == set(B)


@pytest.mark.parametrize("size", [1, 3, 1452, 65536, 1 << 20])
def test_a_message_arrives_as_it_was_sent(start_usrsctp: StartUsrsctp, size: int) -> None:
    pair = Pair(start_usrsctp)
    pair.b.post("receive", socket=pair.server, count=2)
    pair.a.call("send", socket=pair.client, size=size, seed=7, stream=3, ppid=60)
    pair.a.call("send", socket=pair.client, size=size, seed=8, stream=4, ppid=61, unordered=True)
    first, second = sorted(pair.b.reply()["messages"], key=lambda message: message["stream"])
    assert (first["size"], first["stream"], first["ppid"], first["unordered"]) == (size, 3, 60, False)
    assert (second["size"], second["stream"], second["ppid"], second["unordered"]) == (size, 4, 61, True)
    assert [first["sha256"], second["sha256"]] == [digest(content(7, size)), digest(content(8, size))]


def test_messages_come_back_from_an_echo(start_usrsctp: StartUsrsctp) -> None:
    pair = Pair(start_usrsctp)
    pair.b.post("echo", socket=pair.server)
    pair.a.call("send", socket=pair.client, size=10000, seed=1, count=20, stream=2, ppid=9)
    messages = pair.a.call("receive", socket=pair.client, count=20)["messages"]
    assert [message["sha256"] for message in messages] == [digest(content(seed, 10000)) for seed in range(1, 21)]
    assert {(message["stream"], message["ppid"]) for message in messages} == {(2, 9)}
    pair.a.call("shutdown", socket=pair.client)
    assert pair.b.reply() == {"messages": 20, "end": "closed"}


def test_a_shutdown_ends_both_sides_in_order(start_usrsctp: StartUsrsctp) -> None:
    pair = Pair(start_usrsctp)
    pair.a.call("send", socket=pair.client, size=5, seed=1)
    pair.a.call("shutdown", socket=pair.client)
    received = pair.b.call("receive", socket=pair.server, count=2)
    assert [message["size"] for message in received["messages"]] == [5]
    assert received["end"] == "closed"
    assert "shutdown" in pair.events_of_b("shutdown_complete")
    assert pair.events_of_a("shutdown_complete")[-1] == "shutdown_complete"


def test_an_abort_is_told_to_the_other_side(start_usrsctp: StartUsrsctp) -> None:
    pair = Pair(start_usrsctp)
    pair.a.call("abort", socket=pair.client)
    assert pair.events_of_b("comm_lost")[-1] == "comm_lost"
    assert pair.b.call("receive", socket=pair.server)["end"] == "ECONNRESET"


def test_one_to_many_sockets_tell_associations_apart(start_usrsctp: StartUsrsctp) -> None:
    pair = Pair(start_usrsctp, "one-to-many")
    pair.a.call("send", socket=pair.client, size=100, seed=5, association=pair.association)
    message = pair.b.call("receive", socket=pair.server)["messages"][0]
    assert message["sha256"] == digest(content(5, 100))
    pair.b.call("send", socket=pair.server, size=7, seed=6, association=message["association"])
    assert pair.a.call("receive", socket=pair.client)["messages"][0]["size"] == 7
    pair.a.call("shutdown", socket=pair.client, association=pair.association)
    assert pair.events_of_b("shutdown_complete")[-1] == "shutdown_complete"


def test_an_association_can_be_aborted_with_a_reason(start_usrsctp: StartUsrsctp) -> None:
    pair = Pair(start_usrsctp, "one-to-many")
    pair.a.call("abort", socket=pair.client, association=pair.association, reason="enough")
    assert pair.events_of_b("comm_lost")[-1] == "comm_lost"


def test_a_bulk_transfer_is_measured_on_both_sides(start_usrsctp: StartUsrsctp) -> None:
    pair = Pair(start_usrsctp)
    pair.b.post("sink", socket=pair.server)
    sent = pair.a.call("source", socket=pair.client, size=65536, count=100)
    pair.a.call("shutdown", socket=pair.client)
    received = pair.b.reply()
    assert (sent["messages"], received["messages"]) == (100, 100)
    assert received["bytes"] == 6553600
    assert received["mb_per_s"] > 0
    assert received["end"] == "closed"


def test_lost_packets_are_sent_again(start_usrsctp: StartUsrsctp) -> None:
    pair = Pair(start_usrsctp, rto_initial=100, rto_min=50, rto_max=200)
    pair.b.call("lose", every=25)
    pair.b.post("receive", socket=pair.server)
    pair.a.call("send", socket=pair.client, size=200000, seed=3)
    assert pair.b.reply()["messages"][0]["sha256"] == digest(content(3, 200000))
    assert pair.b.call("stats")["vanished"] > 0
    assert pair.a.call("stats")["chunks_retransmitted"] > 0


def test_the_association_outlives_a_cut_cable(start_usrsctp: StartUsrsctp) -> None:
    pair = Pair(start_usrsctp, rto_initial=100, rto_min=50, rto_max=100, path_retrans=1, heartbeat=100)
    assert "confirmed" in pair.events_of_b("confirmed")
    pair.b.post("echo", socket=pair.server)
    pair.a.call("send", socket=pair.client, size=100, seed=1)
    assert len(pair.a.call("receive", socket=pair.client)["messages"]) == 1
    pair.a.call("cut", addresses=[A[0], B[0]])
    pair.a.call("send", socket=pair.client, size=100, seed=2)
    assert pair.a.call("receive", socket=pair.client)["messages"][0]["sha256"] == digest(content(2, 100))
    assert "unreachable" in pair.events_of_a("unreachable")
    pair.a.call("mend")
    assert "available" in pair.events_of_a("available")


def test_a_connection_nobody_takes_is_refused(start_usrsctp: StartUsrsctp) -> None:
    a = start_usrsctp(A, B)
    b = start_usrsctp(B, A)
    client = a.open(udp_port=b.udp_port, rto_initial=50, rto_min=50, rto_max=50)
    with pytest.raises(PeerError) as failure:
        a.call("connectx", socket=client, addresses=B, port=PORT, timeout=3)
    assert failure.value.error in {"ECONNREFUSED", "ETIMEDOUT"}


def test_a_wait_ends_at_its_limit(start_usrsctp: StartUsrsctp) -> None:
    pair = Pair(start_usrsctp)
    assert pair.b.call("receive", socket=pair.server, timeout=0.05) == {"messages": [], "end": "ETIMEDOUT"}


def test_the_driver_ends_itself_when_its_time_is_over(start_usrsctp: StartUsrsctp) -> None:
    a = start_usrsctp(A, B, lifetime=0)
    listener = a.open(port=PORT, listen=True)
    with pytest.raises(PeerError, match="out of time"):
        a.call("accept", socket=listener)
