"""RFC 5061 sections 5.2 to 5.4: any requests of a peer, in any order and with any numbers, against a naive model."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from sctpx.core.association.state import ESTABLISHED
from sctpx.core.config import Limits
from sctpx.core.events import CHANGE_ADDED, CHANGE_PRIMARY, CHANGE_REMOVED, PathChange
from sctpx.wire import asconf as wire
from sctpx.wire.asconf import Answer, Request
from sctpx.wire.codes import (
    CAUSE_DELETE_LAST_IP,
    CAUSE_DELETE_SOURCE_IP,
    CAUSE_REFUSED_FOR_RESOURCES,
    CAUSE_UNRECOGNIZED_PARAMETERS,
    CAUSE_UNRESOLVABLE_ADDRESS,
    CHUNK_ASCONF_ACK,
    PARAM_ADD_IP,
    PARAM_DELETE_IP,
    PARAM_ERROR_CAUSE,
    PARAM_SET_PRIMARY,
)
from tests.conformance.asconf import changing, ours, theirs
from tests.conformance.peer import Peer

MOST = 4
GROUP = bytes((224, 0, 0, 1))
ADDRESSES = [theirs(number) for number in range(1, 7)]
UNKNOWN = {0xC123: (True, False), 0x8123: (False, False), 0x4123: (True, True), 0x0123: (False, True)}
"""Types of parameters that nobody knows: whether they are reported, and whether they end the processing."""

sources = st.sampled_from(ADDRESSES)
targets = st.one_of(sources, st.sampled_from([bytes(4), bytes(16), GROUP]))
requests = st.one_of(
    st.builds(wire.request, st.sampled_from(wire.REQUESTS), st.integers(0, 3), targets),
    st.builds(Request, st.sampled_from([*UNKNOWN, PARAM_ERROR_CAUSE]), st.sampled_from([b"\0\0\0\7", b"\0\0\0\7more"])),
)
packets = st.lists(
    st.tuples(sources, st.lists(st.tuples(st.integers(-2, 2), sources, st.lists(requests, max_size=5)), max_size=3)),
    max_size=8,
)


@dataclass
class Model:
    """What the peer has, and what it was answered."""

    addresses: list[bytes]
    serial: int = 0
    answers: dict[int, list[tuple[int, list[int]]]] = field(default_factory=dict)

    def receive(
        self, source: bytes, chunks: list[tuple[int, bytes, list[Request]]]
    ) -> list[tuple[int, list[tuple[int, list[int]]]]]:
        """The ASCONFs of a packet, with numbers counted from 1: the answers to those that draw one."""
        if source not in self.addresses:
            known = [serial for serial, lookup, _ in chunks if lookup in self.addresses or serial in self.answers]
            if not known:
                return []
        sent = []
        for count, (serial, _, wanted) in enumerate(chunks):
            if serial == self.serial + 1:
                if not count:
                    self.answers.clear()
                self.serial = serial
                self.answers[serial] = self.carry_out(source, wanted)
            elif serial > self.serial:
                continue
            elif not count:
                self.answers = {one: kept for one, kept in self.answers.items() if one >= serial}
            if serial in self.answers:
                sent.append((serial, self.answers[serial]))
        return sent

    def carry_out(self, source: bytes, wanted: list[Request]) -> list[tuple[int, list[int]]]:
        """(correlation, causes) of what is answered to each request."""
        said: list[tuple[int, list[int]]] = []
        stopped = refusing = False
        for one in wanted:
            why = 0
            if one.kind in UNKNOWN:
                if stopped:
                    continue
                reported, stopped = UNKNOWN[one.kind]
                if not reported:
                    continue
                why = CAUSE_UNRECOGNIZED_PARAMETERS
            elif one.kind == PARAM_ERROR_CAUSE:
                continue
            elif stopped or (refusing and one.kind != PARAM_SET_PRIMARY):
                why = CAUSE_REFUSED_FOR_RESOURCES
            else:
                why = self.change(source, one)
                refusing = refusing or (why != 0 and one.kind != PARAM_SET_PRIMARY)
            if why or said:
                said.append((one.correlation, [why] if why else []))
        return said

    def change(self, source: bytes, one: Request) -> int:
        """The code of the cause for which a request is refused; 0 if it is done."""
        ip = one.ip if any(one.ip) else source
        has = self.addresses
        if ip == GROUP and one.kind != PARAM_DELETE_IP:
            return CAUSE_UNRESOLVABLE_ADDRESS
        if one.kind == PARAM_ADD_IP and ip not in has:
            if len(has) == MOST:
                return CAUSE_REFUSED_FOR_RESOURCES
            has.append(ip)
        elif one.kind == PARAM_SET_PRIMARY and ip not in has:
            return CAUSE_UNRESOLVABLE_ADDRESS
        elif one.kind == PARAM_DELETE_IP and not any(one.ip):
            if source not in has:
                return CAUSE_DELETE_LAST_IP
            has[:] = [source]
        elif one.kind == PARAM_DELETE_IP and ip in has:
            if len(has) == 1:
                return CAUSE_DELETE_LAST_IP
            if ip == source:
                return CAUSE_DELETE_SOURCE_IP
            has.remove(ip)
        return 0


def answered(peer: Peer, source: bytes) -> list[tuple[int, list[tuple[int, list[int]]]]]:
    """The answers that have left, all of them to where the ASCONFs came from (E6)."""
    found = []
    for sent in peer.take():
        for kind, _, value in sent.chunks:
            if kind == CHUNK_ASCONF_ACK:
                assert sent.destination == source
                serial, answers, others = wire.parse_ack(value)
                assert not others
                found.append(((serial - peer.peer_tsn + 1) & 0xFFFFFFFF, [told(one) for one in answers]))
    return found


def told(answer: Answer) -> tuple[int, list[int]]:
    return answer.correlation, [code for code, _ in answer.causes]


def check(peer: Peer, model: Model) -> None:
    """The association has the addresses of the model, and nothing of others is left in it."""
    tcb = peer.association.tcb
    paths = tcb.paths
    assert peer.association.state == ESTABLISHED
    assert [path.remote for path in paths] == model.addresses
    assert tcb.primary in paths
    assert tcb.preferred_primary in (None, *paths)
    assert tcb.data_destination() in paths
    assert tcb.data_path in (None, *paths)
    assert tcb.sack_path in (None, *paths)
    assert sum(path.flight_size for path in paths) == tcb.outstanding.flight_size
    tcb.outstanding.check_invariants()
    heard = list(ADDRESSES[:2])
    primary = theirs(1)
    for event in peer.events_of(PathChange):
        if event.what == CHANGE_ADDED:
            heard.append(event.remote)
        elif event.what == CHANGE_REMOVED:
            heard.remove(event.remote)
        elif event.what == CHANGE_PRIMARY:
            primary = event.remote
    assert heard == model.addresses
    assert tcb.primary is not None
    assert primary == tcb.primary.remote


@given(packets, st.integers(0, 5), st.sampled_from([1000, 0xFFFFFFFE]))
def test_the_association_has_the_addresses_that_the_peer_was_granted(
    said: list[tuple[bytes, list[tuple[int, bytes, list[Request]]]]], data: int, first: int
) -> None:
    peer = changing(paths=2, limits=Limits(peer_addresses=MOST), peer_tsn=first, heartbeat_interval=1.0)
    model = Model(ADDRESSES[:2])
    for source, wanted in said:
        peer.send(*[1000] * data)
        peer.take()
        next_one = model.serial + 1
        chunks = [(next_one + count + away, lookup, some) for count, (away, lookup, some) in enumerate(wanted)]
        chunks = [one for one in chunks if one[0] > 0]
        if not chunks:
            continue
        numbers = [(first + serial - 1) & 0xFFFFFFFF for serial, _, _ in chunks]
        bodies = [wire.encode(number, lookup, some) for number, (_, lookup, some) in zip(numbers, chunks, strict=True)]
        expected = model.receive(source, chunks)
        peer.deliver_between(source, ours(1), *bodies)
        assert answered(peer, source) == expected
        check(peer, model)
        peer.advance(0.5)
    peer.advance(10)
    check(peer, model)
