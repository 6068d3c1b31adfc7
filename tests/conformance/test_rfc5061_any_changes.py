"""RFC 5061 sections 5.1, 5.3 and 5.4: whatever the user changes and whatever the peer answers, the rules hold.

The peer here is naive: it carries out what it grants, and knows the addresses that it was told of.
"""

from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from sctpx.core.association.state import ESTABLISHED
from sctpx.wire import asconf as wire
from sctpx.wire import causes
from sctpx.wire.asconf import Answer, Request
from sctpx.wire.codes import CAUSE_REFUSED_FOR_RESOURCES, CHUNK_ASCONF, PARAM_ADD_IP, PARAM_DELETE_IP
from tests.conformance.asconf import changing, heard, ours, theirs
from tests.conformance.peer import Peer, Sent

HOMES = [ours(number) for number in range(1, 6)]
sets = st.lists(st.sampled_from(HOMES), max_size=3)
steps = st.one_of(
    st.tuples(st.just("change"), sets, sets),
    st.tuples(st.just("prefer"), st.sampled_from(HOMES), st.none()),
    st.tuples(st.just("send"), st.none(), st.none()),
    st.tuples(st.just("wait"), st.sampled_from([0.1, 1.0, 5.0]), st.none()),
    st.tuples(st.just("answer"), st.lists(st.booleans(), max_size=8), st.booleans()),
    st.tuples(st.just("stray"), st.lists(st.booleans(), max_size=3), st.integers(-2, 3)),
)


class Listener:
    """The peer: what it knows, and what it has heard and not answered."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.knows = list(HOMES[:2])
        self.serial = peer.tsn - 1
        self.chunk = b""
        self.source = b""
        self.asked: list[Request] = []
        self.answered = True
        self.correlations: set[int] = set()

    def hear(self, sent: list[Sent]) -> None:
        """Packets came: what is in them, and where they come from, follows the rules."""
        for packet in sent:
            for found in heard([packet]):
                self._asconf(*found)
            if CHUNK_ASCONF not in [kind for kind, _, _ in packet.chunks]:
                assert packet.source in self.knows, "F1, F10: not known"
                assert packet.source not in self._leaving, "F4: being deleted"

    @property
    def _leaving(self) -> list[bytes]:
        return [] if self.answered else [one.ip for one in self.asked if one.kind == PARAM_DELETE_IP]

    def _asconf(self, serial: int, lookup: bytes, requests: list[Request], packet: Sent) -> None:
        chunk = packet.value("ASCONF")
        if serial == self.serial and not self.answered:
            assert chunk == self.chunk, "B4: it MUST be the same"
        else:
            assert self.answered, "C1: one at a time"
            assert serial == (self.serial + 1) & 0xFFFFFFFF, "A2: larger by one"
            self.serial, self.chunk, self.asked, self.answered = serial, chunk, requests, False
            numbers = {one.correlation for one in requests}
            assert len(numbers) == len(requests), "A1: unique"
            assert not numbers & self.correlations
            self.correlations |= numbers
            left = list(self.knows)
            for one in requests:
                if one.kind == PARAM_ADD_IP:
                    left.append(one.ip)
                elif one.kind == PARAM_DELETE_IP:
                    left = [ip for ip in left if ip != one.ip]  # What was refused may be deleted, to be sure.
                else:
                    assert one.ip in left, "5.4: part of the association, by then"
                assert left, "F5: the last one"
        self.source = packet.source
        assert lookup in self.knows, "5.3.2: part of the association"
        assert packet.source not in [one.ip for one in requests if one.kind == PARAM_DELETE_IP], "F6"
        assert packet.source in self.peer.association.wanted_addresses, "F1: known, or to be added"

    def answer(self, grants: list[bool], in_short: bool) -> None:
        """Answer what was asked for: the first requests by these verdicts, all others are granted."""
        if self.answered:
            return
        self.answered = True
        answers: list[Answer] = []
        refusing = False
        for number, one in enumerate(self.asked):
            granted = not refusing and (number >= len(grants) or grants[number])
            if one.kind in (PARAM_ADD_IP, PARAM_DELETE_IP):
                refusing = refusing or not granted  # F11
            if granted and one.kind == PARAM_ADD_IP and one.ip not in self.knows:
                self.knows.append(one.ip)
            elif granted and one.kind == PARAM_DELETE_IP and one.ip in self.knows:
                self.knows.remove(one.ip)
            if not granted and not (in_short and answers and answers[-1].causes):
                why = [causes.refused(CAUSE_REFUSED_FOR_RESOURCES, (one.kind, one.value))]
                answers.append(Answer(one.correlation, why))
            elif granted and answers:
                answers.append(Answer(one.correlation, []))
        self._say(wire.encode_ack(self.serial, answers))

    def stray(self, grants: list[bool], away: int) -> None:
        """An answer to something else: a number that is not under way, and is not larger than all of ours (F0)."""
        if away >= 0 and self.answered:
            return
        answers = [
            Answer(number, [] if granted else [causes.invalid_parameter()]) for number, granted in enumerate(grants)
        ]
        if away:
            self._say(wire.encode_ack((self.serial + away) & 0xFFFFFFFF, answers))

    def _say(self, chunk: bytes) -> None:
        """The peer answers to where the last ASCONF came from (E6), or else to any address that it knows."""
        where = self.source if self.source in self.peer.association.wanted_addresses else self.knows[0]
        self.peer.deliver_between(theirs(1), where, chunk)


@given(st.lists(steps, max_size=25), st.sampled_from([0xFFFFFFFE, 7]))
def test_whatever_the_user_changes_and_the_peer_answers_the_rules_hold(
    todo: list[tuple[str, object, object]], tsn: int
) -> None:
    peer = changing(paths=2, tsn=tsn, association_max_retrans=1000, rto_max=2.0)
    listener = Listener(peer)
    association = peer.association
    for what, one, other in todo:
        if what == "change":
            assert isinstance(one, list)
            assert isinstance(other, list)
            with contextlib.suppress(OSError):
                association.change_addresses(peer.now, one, other)
        elif what == "prefer":
            assert isinstance(one, bytes)
            with contextlib.suppress(OSError):
                association.set_peer_primary(peer.now, one)
        elif what == "send":
            peer.send(100)
        elif what == "wait":
            assert isinstance(one, float)
            peer.advance(one)
        elif what == "answer":
            assert isinstance(one, list)
            listener.answer(one, bool(other))
        else:
            assert isinstance(one, list)
            assert isinstance(other, int)
            listener.stray(one, other)
        peer.settle()
        listener.hear(peer.take())
        assert association.state == ESTABLISHED
    for _ in range(20):
        listener.answer([], False)
        peer.settle()
        listener.hear(peer.take())
    assert listener.answered
    assert sorted(association.local_addresses) == sorted(listener.knows)
    if association.wanted_addresses:
        assert sorted(association.wanted_addresses) == sorted(listener.knows)
    else:
        assert len(listener.knows) == 1, "F5: the last one waits for an addition"
    assert {path.local for path in association.paths} <= set(listener.knows)
    assert [path.remote for path in association.paths] == [theirs(1), theirs(2)]
