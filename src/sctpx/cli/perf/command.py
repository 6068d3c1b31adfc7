"""``sctpx perf server`` and ``sctpx perf client``: what can be asked for, and how the answer is shown."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

import click

from ...aio import start_server
from ...core.config import CONGESTION, LOSS_RECOVERIES, AssociationConfig, Congestion, LossRecovery
from ...link import SCTP_TUNNELING_PORT
from ..authentication import auth_options, authentication
from ..failure import explain, one_line
from ..interrupt import exit_by_signal, run
from ..output import byte_text, json_text, rate_text
from ..parameters import MTU, SCTP_PORT, UDP_PORT, integer, link_option, seconds, way
from ..parameters import addresses as address_list
from ..parameters import size as size_type
from . import hello
from .client import Plan, measure, plain_link
from .measure import Result
from .server import PerfServer, PerfWorker

_COUNTED = {"pingpong": "round trips", "setup": "set-ups"}
_Command = TypeVar("_Command", bound=Callable[..., object])


def _common(command: _Command) -> _Command:
    """The options of both sides."""
    for option in (
        link_option,
        auth_options,
        click.option("--no-offload", is_flag=True, help="Do without GSO and GRO, the segmentation offload of UDP."),
        click.option("--stretch-sack", is_flag=True, help="Acknowledge packets that arrive together with one SACK."),
        click.option(
            "--congestion",
            type=click.Choice(CONGESTION),
            default=CONGESTION[0],
            show_default=True,
            help="Congestion control of what is sent.",
        ),
        click.option(
            "--loss-recovery",
            type=click.Choice(LOSS_RECOVERIES),
            default="rack",
            show_default=True,
            help="How losses are found: by time, with probes, or as RFC 9260 has it.",
        ),
        click.option("--mtu", type=MTU, metavar="BYTES", help="Largest IP packet.  [default: what the path takes]"),
    ):
        command = option(command)
    return command


@click.group(short_help="Measure throughput, round trips and set-ups.")
def perf() -> None:
    """Measure throughput, round trips and set-ups between a server and a client.

    MB are 10^6 bytes, CPU time is that of the process. Nagle is off.
    """


@perf.command(
    epilog="""\b
Examples:
  sctpx perf server
  sctpx perf server --bind 127.0.0.1,127.0.0.2 --udp-port 9900 --once --json
  sctpx perf server --mode pingpong      an echo, for peers of any kind
  sctpx perf server --workers 4          on four cores
"""
)
@click.option(
    "--bind", type=address_list, default="127.0.0.1", show_default=True, metavar="A[,A...]", help="Addresses."
)
@click.option("--port", type=SCTP_PORT, default="5001", show_default=True, metavar="PORT", help="SCTP port.")
@click.option(
    "--udp-port",
    type=UDP_PORT,
    metavar="PORT",
    help=f"UDP port; 0: any free.  [default: {SCTP_TUNNELING_PORT}]",
)
@click.option(
    "--mode",
    type=click.Choice(("auto", "bulk", "pingpong")),
    default="auto",
    show_default=True,
    help="For peers that do not say what they want: bulk swallows what comes, pingpong sends it back. auto is bulk.",
)
@_common
@click.option(
    "--workers",
    type=integer(1, 256),
    metavar="N",
    help="Serve with so many processes on one UDP port, each with its share of the associations.",
)
@click.option("--once", is_flag=True, help="End after the first run.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a run; READY goes to standard error.")
def server(
    bind: list[str],
    port: int,
    udp_port: int | None,
    mode: str,
    mtu: int | None,
    congestion: Congestion,
    loss_recovery: LossRecovery,
    stretch_sack: bool,
    no_offload: bool,
    link: str,
    auth_keys: tuple[tuple[int, bytes], ...],
    auth_chunks: tuple[int, ...] | None,
    workers: int | None,
    once: bool,
    as_json: bool,
) -> None:
    """Wait for clients. Prints READY once it listens, and the result of each run.

    With --workers, each process has its own runs, and counts of set-ups only those that it had.
    """
    if workers is not None and (once or no_offload):
        raise click.UsageError("--workers goes neither with --once nor with --no-offload.")
    config = AssociationConfig(
        mtu=mtu,
        congestion=congestion,
        loss_recovery=loss_recovery,
        stretch_sack=stretch_sack,
        **authentication(auth_keys, auth_chunks),
    )

    async def serve() -> None:
        usual = "bulk" if mode == "auto" else mode
        worker = PerfServer(usual, config)
        handler: Any = worker.handle
        how: dict[str, Any] = {"udp_port": udp_port, **way(link)}
        if workers is not None:
            handler = PerfWorker(usual, config, partial(_show_any, as_json=as_json))
            how["workers"] = workers
        if no_offload:
            how = {"link": plain_link(link, bind, udp_port)}
        async with await start_server(handler, bind, port, config=config, **how) as listener:
            ports = f"port {listener.port}" + (f" udp-port {listener.udp_port}" if listener.udp_port else "")
            click.echo(f"READY {','.join(listener.local_addresses)} {ports}", err=as_json)
            while True:
                result = await worker.results.get()
                if once and isinstance(result, OSError):
                    raise result
                _show_any(result, as_json)
                if once:
                    return

    with one_line(), suppress(KeyboardInterrupt):
        run(serve())


@perf.command(
    epilog="""\b
Examples:
  sctpx perf client 127.0.0.1
  sctpx perf client 127.0.0.1,127.0.0.2 --udp-port 9900 --size 1Ki --seconds 9
  sctpx perf client 127.0.0.1 --mode pingpong --size 64 --count 10000 --json
  sctpx perf client 127.0.0.1 --mode setup --seconds 2
"""
)
@click.argument("addresses", type=address_list, metavar="ADDRESS[,ADDRESS...]")
@click.option(
    "--port", type=SCTP_PORT, default="5001", show_default=True, metavar="PORT", help="The server's SCTP port."
)
@click.option(
    "--udp-port",
    type=UDP_PORT,
    metavar="PORT",
    help=f"The server's UDP port.  [default: {SCTP_TUNNELING_PORT}]",
)
@click.option("--mode", type=click.Choice(hello.MODES), default="bulk", show_default=True, help="What to measure.")
@click.option("--size", type=size_type, default="64Ki", show_default=True, metavar="SIZE", help="Bytes a message.")
@click.option("--seconds", type=seconds, default="5", show_default=True, metavar="SECONDS", help="How long.")
@click.option(
    "--count", type=integer(1, 10**9), metavar="N", help="So many round trips or set-ups instead of --seconds."
)
@click.option(
    "--warmup", type=seconds, default="0", metavar="SECONDS", help="Run so long before, which does not count."
)
@click.option(
    "--streams", type=integer(1, 65535), default="1", show_default=True, metavar="N", help="Send on so many in turn."
)
@click.option("--bind", type=address_list, metavar="A[,A...]", help="Our addresses.  [default: the system's choice]")
@click.option(
    "--client-udp-port", type=UDP_PORT, default="0", metavar="PORT", help="Our UDP port.  [default: any free]"
)
@_common
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def client(
    addresses: list[str],
    port: int,
    udp_port: int | None,
    mode: str,
    size: int,
    seconds: float,
    count: int | None,
    warmup: float,
    streams: int,
    bind: list[str] | None,
    client_udp_port: int,
    mtu: int | None,
    congestion: Congestion,
    loss_recovery: LossRecovery,
    stretch_sack: bool,
    no_offload: bool,
    link: str,
    auth_keys: tuple[tuple[int, bytes], ...],
    auth_chunks: tuple[int, ...] | None,
    as_json: bool,
) -> None:
    """Measure against a server at one or several ADDRESSes.

    bulk sends messages as fast as they go, pingpong times round trips of one message, setup times associations that
    are set up and aborted one after the other.
    """
    plan = Plan(
        addresses=addresses,
        port=port,
        peer_udp_port=udp_port,
        mode=mode,
        size=size,
        seconds=seconds,
        count=count,
        warmup=warmup,
        local=bind,
        udp_port=client_udp_port,
        offload=not no_offload,
        link=link,
        config=AssociationConfig(
            mtu=mtu,
            congestion=congestion,
            loss_recovery=loss_recovery,
            stretch_sack=stretch_sack,
            streams=streams,
            **authentication(auth_keys, auth_chunks),
        ),
    )
    bytes_each = size if mode == "bulk" else 0

    def tell(begin: float, end: float, rate: float) -> None:
        what = rate_text(rate * bytes_each) if bytes_each else f"{rate:,.0f} {_COUNTED[mode]}/s"
        click.echo(f"{begin:7.2f}-{end:.2f} s   {what}")

    with exit_by_signal(), one_line():
        _show(run(measure(plan, None if as_json else tell)), as_json)


def _show_any(result: Result | OSError, as_json: bool) -> None:
    """A result, or why there is none."""
    if isinstance(result, OSError):
        click.echo(f"Error: {explain(result)}", err=True)
    else:
        _show(result, as_json)


def _show(result: Result, as_json: bool) -> None:
    """A result, for a script or for people."""
    if as_json:
        click.echo(json_text(result.as_json()))
        return
    size = f" of {result.size:,} bytes" if result.size is not None else ""
    core = "compiled" if result.compiled else "interpreted"
    click.echo(f"{result.role}: {result.mode}{size}, {result.seconds:.2f} s, {core}")
    for name, text in _lines(result):
        click.echo(f"  {name:<12}{text}")


def _lines(result: Result) -> list[tuple[str, str]]:
    lines = []
    if result.mb_per_s is not None and result.bytes is not None:
        lines.append(("goodput", f"{rate_text(result.mb_per_s * 1e6)} ({byte_text(result.bytes)})"))
        lines.append(("messages", f"{result.messages_per_s:,.0f}/s ({result.messages:,})"))
    if result.rtt_us_median is not None:
        lines.append(
            ("round trip", f"median {result.rtt_us_median:,.1f} us, 99th percentile {result.rtt_us_p99:,.1f} us")
        )
    if result.setups_per_s is not None:
        lines.append(("set-ups", f"{result.setups_per_s:,.0f}/s ({result.setups:,})"))
    if result.setup_us_median is not None:
        lines.append(("set-up", f"median {result.setup_us_median:,.1f} us"))
    busy = (result.cpu_user_s + result.cpu_sys_s) / result.seconds if result.seconds else 0.0
    lines.append(("CPU", f"{result.cpu_user_s:.2f} s user, {result.cpu_sys_s:.2f} s system ({busy:.0%})"))
    lines.append(("packets", f"{result.packets_sent:,} sent, {result.packets_received:,} received"))
    if result.retransmissions is not None:
        lines.append(("resent", f"{result.retransmissions:,} chunks"))
    return lines
