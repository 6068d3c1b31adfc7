"""``sctpx listen`` and ``sctpx connect``: netcat with many addresses.

Lines of standard input become messages, messages received go to standard output as they are. ``connect`` ends with its
input: it waits until nothing has come for a moment, then shuts down. ``listen`` leaves the end to its peers. Ctrl-C,
SIGTERM and SIGHUP shut down gracefully, and what the peers send until then still goes to standard output; a second
signal does not wait.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final, TypeVar, final

import click

from ..aio import Association, Endpoint, Server, start_server
from ..aio import connect as start_connect
from ..core.config import AssociationConfig
from ..core.rx.streams import MORE
from ..errors import AssociationAborted, AssociationLost, ConnectError
from ..link import SCTP_TUNNELING_PORT
from ..sockapi import events
from ..sockapi.backend import KERNEL
from ..sockapi.events import Event
from ..sockapi.receive import Message
from ..sockapi.status import AddressReport
from ..wire.codes import CAUSE_NAMES
from .authentication import auth_options, authentication
from .failure import explain, one_line
from .interrupt import in_good_order, on_interrupt, run
from .output import make_console
from .parameters import SCTP_PORT, UDP_PORT, integer, link_option, mobile_option, mobility, seconds, way
from .parameters import addresses as address_list
from .parameters import size as size_type
from .report import report_table
from .standard_input import StandardInput
from .whole import WholeMessages

_Command = TypeVar("_Command", bound=Callable[..., object])

_CLOSE_TIMEOUT: Final = 5.0
"""Seconds a shutdown may take."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class _Manners:
    """How messages are made and what is done with those that come."""

    stream: int
    ppid: int
    lifetime: float | None
    retransmits: int | None
    message_size: int | None
    echo: bool
    verbose: bool
    mobile: bool

    def read(self) -> AsyncIterator[bytes]:
        """Standard input as messages."""
        source = StandardInput()
        return source.lines() if self.message_size is None else source.blocks(self.message_size)

    async def send(self, association: Association, data: bytes) -> None:
        """Send a message."""
        await association.send(
            data, stream=self.stream, ppid=self.ppid, lifetime=self.lifetime, retransmits=self.retransmits
        )

    async def take(self, association: Association, batch: Sequence[Message], whole: WholeMessages) -> None:
        """Messages came; ``whole`` is the association's."""
        if self.echo:
            with suppress(BrokenPipeError):  # The peer has ended it: it does not want them any more.
                await association.send_many(whole.join(batch))
        await asyncio.to_thread(_write, batch)

    def on_event(self, association: Association, event: Event) -> None:
        """Something happened on an association."""
        text = _event_text(association, event) if self.verbose else ""
        if text:
            _tell(text)
        if self.mobile and isinstance(event, events.CommunicationUp) and not association.address_reconfigurable:
            _tell(f"with {','.join(association.peer_addresses)} addresses cannot change: the peer does not offer that")


def _manners(**how: Any) -> _Manners:
    """``click.UsageError`` for what excludes each other."""
    if how["lifetime"] is not None and how["retransmits"] is not None:
        raise click.UsageError("--lifetime and --retransmits exclude each other")
    return _Manners(**how)


def _write(batch: Sequence[Message]) -> None:
    """Messages to standard output, as they are; on a terminal each begins on a line of its own."""
    out = sys.stdout.buffer
    terminal = sys.stdout.isatty()
    for message in batch:
        out.write(message.data)
        if terminal and not message.flags & MORE and not message.data.endswith(b"\n"):
            out.write(b"\n")
    out.flush()


def _tell(text: str) -> None:
    click.echo(f"sctpx: {text}", err=True)


def _event_text(association: Association, event: Event) -> str:
    """An event in a line; nothing for what happens all the time, or is an exception as well."""
    match event:
        case events.CommunicationUp():
            theirs, ours = ",".join(association.peer_addresses), ",".join(association.local_addresses)
            return (
                f"association with {theirs} port {association.peer_port} is up {_way_text(association)} "
                f"(we are {ours} port {association.port})"
                f"{', authenticated' if association.authenticates else ''}"
            )
        case events.PathStateChanged():
            return f"path {event.address} is {event.state}"
        case events.PathConfirmed():
            return f"path {event.address} is verified"
        case events.PrimaryChanged():
            return f"path {event.address} is the primary one"
        case events.PeerAddressAdded():
            return f"the peer has the address {event.address} now"
        case events.PeerAddressRemoved():
            return f"the peer has given up the address {event.address}"
        case events.LocalAddressChanged():
            return f"our address {event.address}: {_CHANGES[event.change]}, {event.result}"
        case events.MessageAbandoned():
            return f"a message of {len(event.message.data)} bytes was given up"
        case events.PeerShutdown():
            return "the peer shuts down"
        case events.ShutdownComplete():
            return "the association has ended gracefully"
        case events.Restarted():
            return "the peer has restarted"
        case events.RemoteError():
            return f"the peer reports {', '.join(CAUSE_NAMES.get(code, f'error {code}') for code, _ in event.causes)}"
        case _:
            return ""


_CHANGES: Final = {"added": "to be added", "removed": "to be removed", "primary": "to be the primary one"}
"""What the peer was asked for."""


@contextmanager
def _interruptible() -> Iterator[asyncio.Task[bool]]:
    """A task that is done with the first signal that asks for the end."""
    interrupted = asyncio.Event()
    waiting = asyncio.create_task(interrupted.wait())
    try:
        with on_interrupt(interrupted.set):
            yield waiting
    finally:
        waiting.cancel()


async def _first(*work: asyncio.Task[Any]) -> set[asyncio.Task[Any]]:
    """Wait until one of these is done, and raise what it raised. Those that are done."""
    done, _ = await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()
    return done


# --- listen ---


@final
class _Listener:
    """Serves the associations of one SCTP port."""

    def __init__(self, manners: _Manners, server: Server) -> None:
        self._manners = manners
        self._server = server
        self._up: set[Association] = set()
        self._somebody = asyncio.Event()

    async def serve_one(self) -> None:
        """One association, and no other. Raises how it ended, if that was not gracefully."""
        association = await self._server.accept()
        self._server.close()
        await self._serve(association)

    async def serve_all(self) -> None:
        """All that come, until this is cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                async for association in self._server:
                    group.create_task(self._serve_and_tell(association))
        except* OSError as errors:
            raise errors.exceptions[0] from None

    async def _serve_and_tell(self, association: Association) -> None:
        try:
            await self._serve(association)
        except (AssociationAborted, AssociationLost) as error:
            _tell(explain(error))

    async def _serve(self, association: Association) -> None:
        whole = WholeMessages()
        self._up.add(association)
        self._somebody.set()
        try:
            while batch := await association.recv_many():
                await self._manners.take(association, batch, whole)
            await association.shutdown()  # The peer has begun it: an end of any other kind raises.
        finally:
            self._up.discard(association)
            if not self._up:
                self._somebody.clear()

    async def feed(self) -> None:
        """Standard input to all associations that are up. Does not end: the end is the peers' affair."""
        if not self._manners.echo:
            async for data in self._manners.read():
                await self._somebody.wait()
                for association in list(self._up):
                    with suppress(BrokenPipeError, AssociationAborted, AssociationLost):  # It was faster than we.
                        await self._manners.send(association, data)
        await asyncio.Event().wait()


def _way_text(association: Association) -> str:
    """How the packets of an association travel."""
    if association.endpoint.backend == KERNEL:
        return "through the kernel"
    udp_port = next((path.udp_port for path in association.paths if path.primary), 0)
    return f"over UDP port {udp_port}" if udp_port else "natively"


def _port_text(endpoint: Endpoint) -> str:
    """The ports of an endpoint, and how its packets travel."""
    text = f"port {endpoint.port}"
    if endpoint.backend == KERNEL:
        text += " of the kernel"
    elif endpoint.native and endpoint.udp_port:
        text += " native and"
    return f"{text} udp-port {endpoint.udp_port}" if endpoint.udp_port else text


async def _listen(
    addresses: list[str],
    port: int,
    udp_port: int | None,
    once: bool,
    link: str,
    config: AssociationConfig,
    manners: _Manners,
) -> None:
    server = await start_server(
        None,
        addresses,
        port,
        udp_port=udp_port,
        config=config,
        close_timeout=_CLOSE_TIMEOUT,
        on_event=manners.on_event,
        **way(link),
    )
    async with server:
        if manners.verbose:
            _tell(f"listening on {','.join(server.local_addresses)} {_port_text(server.endpoint)}")
        listener = _Listener(manners, server)
        serving = asyncio.create_task(listener.serve_one() if once else listener.serve_all())
        feeding = asyncio.create_task(listener.feed())
        try:
            with _interruptible() as interrupted:
                done = await _first(serving, feeding, interrupted)
            if interrupted in done:
                server.close()
                await server.close_associations()
                await serving
        finally:
            serving.cancel()
            feeding.cancel()


# --- connect ---


@final
class _Caller:
    """One association that ends with our input."""

    def __init__(self, manners: _Manners, association: Association, linger: float) -> None:
        self._manners = manners
        self._association = association
        self._linger = linger
        self._loop = asyncio.get_running_loop()
        self._heard = asyncio.Event()
        self._heard_at = 0.0

    async def talk(self) -> None:
        """From the first message to the end. Raises how it ended, if that was not gracefully."""
        receiving = asyncio.create_task(self._receive())
        sending = asyncio.create_task(self._send_and_shut_down())
        try:
            with _interruptible() as interrupted:
                done = await _first(receiving, sending, interrupted)
            if interrupted in done:
                sending.cancel()
                await self._association.close()
            await receiving
        finally:
            receiving.cancel()
            sending.cancel()

    async def _receive(self) -> None:
        whole = WholeMessages()
        while batch := await self._association.recv_many():
            await self._manners.take(self._association, batch, whole)
            self._heard_at = self._loop.time()
            self._heard.set()
        await self._association.shutdown()

    async def _send_and_shut_down(self) -> None:
        with suppress(BrokenPipeError):  # The peer was the first to end it.
            async for data in self._manners.read():
                await self._manners.send(self._association, data)
        # Until nothing has come for a while.
        self._heard_at = self._loop.time()
        with suppress(TimeoutError):
            while True:
                async with asyncio.timeout_at(self._heard_at + self._linger):
                    await self._heard.wait()
                self._heard.clear()
        # What was sent is delivered first, however long that takes.
        await self._association.shutdown()


def _print_report(report: Sequence[AddressReport]) -> None:
    make_console(sys.stderr).print(report_table(report))


# --- the commands ---


def _common(command: _Command) -> _Command:
    """The options of both."""
    for option in (
        link_option,
        mobile_option,
        auth_options,
        click.option("-v", "--verbose", is_flag=True, help="Tell what happens on standard error."),
        click.option("--echo", is_flag=True, help="Send back what comes."),
        click.option("--message-size", type=size_type, metavar="SIZE", help="Messages of this size instead of lines."),
        click.option(
            "--retransmits",
            type=integer(0, 0xFFFF),
            metavar="N",
            help="Give a message up that would be retransmitted more often.  [default: never]",
        ),
        click.option(
            "--lifetime",
            type=seconds,
            metavar="SECONDS",
            help="Give a message up that is older, unless it was sent in time.  [default: never]",
        ),
        click.option(
            "--ppid",
            type=integer(0, 0xFFFFFFFF),
            default="0",
            show_default=True,
            metavar="N",
            help="Payload protocol identifier to send.",
        ),
        click.option(
            "--stream", type=integer(0, 65534), default="0", show_default=True, metavar="N", help="Stream to send on."
        ),
    ):
        command = option(command)
    return command


@click.command(
    short_help="Take associations: netcat's other end.",
    epilog="""\b
Examples:
  sctpx listen 192.0.2.10,198.51.100.10 5000
  sctpx listen -v --echo 127.0.0.1,127.0.0.2 5000
  sctpx listen --once 0.0.0.0 5000 > received
  sctpx listen --auth-key key.txt 0.0.0.0 5000
  sctpx listen --link raw 192.0.2.10,198.51.100.10 36412
  sctpx listen --mobile 0.0.0.0 5000
""",
)
@click.argument("addresses", type=address_list, metavar="ADDRESS[,ADDRESS...]")
@click.argument("port", type=SCTP_PORT, metavar="PORT")
@click.option(
    "--udp-port",
    type=UDP_PORT,
    metavar="PORT",
    help=f"UDP port; 0: any free.  [default: {SCTP_TUNNELING_PORT}]",
)
@click.option("--once", is_flag=True, help="Take one association, and end with it.")
@_common
def listen(
    addresses: list[str],
    port: int,
    udp_port: int | None,
    once: bool,
    stream: int,
    ppid: int,
    lifetime: float | None,
    retransmits: int | None,
    message_size: int | None,
    echo: bool,
    verbose: bool,
    mobile: bool,
    link: str,
    auth_keys: tuple[tuple[int, bytes], ...],
    auth_chunks: tuple[int, ...] | None,
) -> None:
    """Take associations on one or several local ADDRESSes and an SCTP PORT.

    What comes goes to standard output. Lines of standard input go to all that are associated; with --echo it is not
    read. 0.0.0.0 and :: stand for all addresses of this host.
    """
    manners = _manners(
        stream=stream,
        ppid=ppid,
        lifetime=lifetime,
        retransmits=retransmits,
        message_size=message_size,
        echo=echo,
        verbose=verbose,
        mobile=mobile,
    )
    config = AssociationConfig(**authentication(auth_keys, auth_chunks), **mobility(mobile))
    with one_line():
        run(_listen(addresses, port, udp_port, once, link, config, manners))


@click.command(
    short_help="Associate with a peer: netcat with many addresses.",
    epilog="""\b
Examples:
  sctpx connect 192.0.2.10,198.51.100.10,2001:db8::10 5000
  echo hello | sctpx connect -v --report 127.0.0.1,127.0.0.2 5000
  sctpx connect --stream 3 --ppid 60 --message-size 64Ki 192.0.2.1 5000 < data
  sctpx connect --link raw 192.0.2.10,198.51.100.10 36412
  sctpx connect --mobile -v 192.0.2.10 5000
  sctpx connect --auth-key key.txt 192.0.2.1 5000
""",
)
@click.argument("addresses", type=address_list, metavar="ADDRESS[,ADDRESS...]")
@click.argument("port", type=SCTP_PORT, metavar="PORT")
@click.option(
    "--peer-udp-port",
    type=UDP_PORT,
    metavar="PORT",
    help=f"The peer's UDP port.  [default: {SCTP_TUNNELING_PORT}]",
)
@click.option("--udp-port", type=UDP_PORT, default="0", metavar="PORT", help="Our UDP port.  [default: any free]")
@click.option("--bind", type=address_list, metavar="A[,A...]", help="Our addresses.  [default: the system's choice]")
@click.option("--timeout", type=seconds, metavar="SECONDS", help="When to give up connecting.")
@click.option(
    "--linger",
    type=seconds,
    default="0.25",
    show_default=True,
    metavar="SECONDS",
    help="How long nothing must come before the end.",
)
@click.option("--report", is_flag=True, help="Tell on standard error what each address answered.")
@_common
def connect(
    addresses: list[str],
    port: int,
    peer_udp_port: int | None,
    udp_port: int,
    bind: list[str] | None,
    timeout: float | None,
    linger: float,
    report: bool,
    stream: int,
    ppid: int,
    lifetime: float | None,
    retransmits: int | None,
    message_size: int | None,
    echo: bool,
    verbose: bool,
    mobile: bool,
    link: str,
    auth_keys: tuple[tuple[int, bytes], ...],
    auth_chunks: tuple[int, ...] | None,
) -> None:
    """Associate with a peer through one or several of its ADDRESSes, at an SCTP PORT.

    Lines of standard input go there, what comes goes to standard output. At the end of the input, when no message came
    for --linger seconds, the association is shut down: everything that was sent has then arrived.
    """
    manners = _manners(
        stream=stream,
        ppid=ppid,
        lifetime=lifetime,
        retransmits=retransmits,
        message_size=message_size,
        echo=echo,
        verbose=verbose,
        mobile=mobile,
    )
    config = AssociationConfig(**authentication(auth_keys, auth_chunks), **mobility(mobile))

    async def call() -> None:
        if verbose:
            at = f" udp-port {peer_udp_port}" if peer_udp_port else ""
            _tell(f"connecting to {','.join(addresses)} port {port}{at}")
        connecting = start_connect(
            addresses,
            port,
            peer_udp_port=peer_udp_port,
            local=bind,
            udp_port=udp_port,
            timeout=timeout,
            streams=max(stream + 1, AssociationConfig.streams),
            config=config,
            close_timeout=_CLOSE_TIMEOUT,
            on_event=manners.on_event,
            **way(link),
        )
        try:
            async with in_good_order(connecting) as association:
                if report:
                    _print_report(association.report)
                await _Caller(manners, association, linger).talk()
        except ConnectError as error:
            if report:
                _print_report(error.report)
            raise

    with one_line():
        run(call())
