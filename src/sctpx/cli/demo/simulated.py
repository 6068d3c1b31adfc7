"""The story on a simulated network, in virtual time: where the system has one loopback address only.

Two hosts with three addresses each; path n joins 10.0.n.1 and 10.0.n.2. Nothing here touches a socket or waits: the run
is the same everywhere, to the packet.
"""

from __future__ import annotations

from typing import Final, final

from ...core.association.association import Association, association_of
from ...core.endpoint import PeerAddress
from ...core.events import CHANGE_STATE, CommunicationUp, Event, PathChange, Readable, ShutdownComplete, Writable
from ...core.rx.streams import MORE
from ...sockapi.addresses import ip_text, pack_ip
from ...sockapi.status import PATH_STATES, PathInfo, address_reports, path_info
from ...testing import LinkSettings, Network
from .content import Content, Received
from .plot import Plot
from .story import SCTP_PORT, Outcome, Teller

DEFAULT_SIZE: Final = 30_000_000

_LINK: Final = LinkSettings(delay=0.005, rate=200e6, queue=256 * 1024)
_STEP: Final = 0.02
"""Virtual seconds between two looks at the progress."""
_LIMIT: Final = 3600.0
"""Virtual seconds until each part of the story must be over."""
_UDP_PORT: Final = 9899
_CLIENT: Final = ("10.0.1.1", "10.0.2.1", "10.0.3.1")
_SERVER: Final = ("10.0.1.2", "10.0.2.2", "10.0.3.2")
_SILENT: Final = "10.0.4.2"
_REFUSING: Final = "10.0.5.2"
_LISTED: Final = (_SILENT, _REFUSING, *_SERVER[:2])


def run(teller: Teller, size: int | None) -> Outcome:
    """Tell the story in virtual time, sending ``size`` bytes. ``SimulationError`` if it does not come to an end."""
    return _Story(teller, size or DEFAULT_SIZE).run()


@final
class _Story:
    """The two hosts, each with an event handler for an application, and what is known so far."""

    def __init__(self, teller: Teller, size: int) -> None:
        self._teller = teller
        self._outcome = Outcome("simulated")
        self._network = Network("demo", link=_LINK)
        self._plot = Plot(teller, self._outcome, self._network.cut)
        self._content = Content(size)
        self._received = Received()
        self._client = self._network.add_host("client", _CLIENT, _UDP_PORT)
        self._server = self._network.add_host("server", _SERVER, _UDP_PORT)
        self._client.handlers.append(self._on_client)
        self._server.handlers.append(self._on_server)
        self._server.open_endpoint(SCTP_PORT).listen()
        self._network.add_host("nobody-listens", [_REFUSING], _UDP_PORT)

    def run(self) -> Outcome:
        """From the first INIT to the last word."""
        network, outcome, plot = self._network, self._outcome, self._plot
        started = network.clock.now
        self._teller.connecting(_LISTED)
        remotes = [PeerAddress(pack_ip(address), _UDP_PORT) for address in _LISTED]
        association = self._client.open_endpoint().connect(started, remotes, SCTP_PORT)
        network.run(lambda: self._has(CommunicationUp), _LIMIT)
        outcome.up_at = network.elapsed
        outcome.report = address_reports(association.report, started)
        outcome.primary = next(path.remote for path in self._paths(association) if path.primary)
        self._teller.connected(outcome)

        total = self._content.size
        plot.begin(network.elapsed, total)
        self._send_on(association)
        while self._received.bytes < total and not association.ended and network.elapsed < _LIMIT:
            network.run_for(_STEP)
            plot.on_look(network.elapsed, self._received.bytes, total, self._paths(association))
        plot.end(network.elapsed, total, self._paths(association))
        outcome.chunks_retransmitted = association.stats.chunks_retransmitted

        association.shutdown(network.clock.now)
        network.run(lambda: self._has(ShutdownComplete), _LIMIT)
        outcome.graceful = True
        outcome.sent = self._content.total()
        outcome.received, outcome.longest_gap = self._received.total(), self._received.longest_gap
        return outcome

    def _send_on(self, association: Association) -> None:
        while association.send_space > 0:
            message = self._content.take()
            if not message:
                return
            association.send(self._network.clock.now, message)
        association.want_writable()

    def _on_client(self, event: Event) -> None:
        if isinstance(event, PathChange) and event.what == CHANGE_STATE:
            paths = self._paths(association_of(event))
            self._plot.on_path_state(self._network.elapsed, ip_text(event.remote), PATH_STATES[event.state], paths)
        elif isinstance(event, Writable):
            self._send_on(association_of(event))

    def _on_server(self, event: Event) -> None:
        if isinstance(event, Readable):
            for data, *_, flags in association_of(event).read():
                self._received.add(self._network.elapsed, data, flags & MORE != 0)

    def _has(self, kind: type[Event]) -> bool:
        """Both hosts had an event of this kind."""
        hosts = (self._client, self._server)
        return all(any(isinstance(event, kind) for event in host.events) for host in hosts)

    @staticmethod
    def _paths(association: Association) -> list[PathInfo]:
        return [path_info(path, association.primary) for path in association.paths]
