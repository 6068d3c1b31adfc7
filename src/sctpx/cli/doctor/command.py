"""``sctpx doctor``: gathers the facts, shows them, decides the exit status."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import replace

import click

from ...core.config import AssociationConfig
from ...link.choice import choose, host_facts, preset_of_environment
from ..authentication import auth_options, authentication
from ..failure import one_line
from ..interrupt import run
from ..output import json_text, make_console
from ..parameters import SCTP_PORT, seconds
from ..parameters import addresses as address_list
from .advice import advice
from .facts import ChoiceFacts, HostReport, PeerFacts
from .kernel import kernel_facts
from .network import network_facts
from .peers import peer_facts
from .privileges import privilege_facts
from .probing import ask
from .system import system_facts
from .words import sections, usable_ways, ways_taken


@click.command(
    short_help="Tell what this host can do, what auto takes, and why.",
    epilog="""\b
Examples:
  sctpx doctor
  sctpx doctor 192.0.2.10,198.51.100.10
  sctpx doctor --port 36412 amf.example
  sctpx doctor --json | jq .choice
""",
)
@click.argument("hosts", nargs=-1, type=address_list, metavar="[HOST[,ADDRESS...]]...")
@click.option(
    "--port",
    type=SCTP_PORT,
    metavar="PORT",
    help="Ask each HOST in each way this host can go: connect to this SCTP port, then abort.",
)
@click.option(
    "--timeout",
    type=seconds,
    default="3",
    show_default=True,
    metavar="SECONDS",
    help="How long a HOST has to answer in one way.",
)
@auth_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def doctor(
    hosts: tuple[list[str], ...],
    port: int | None,
    timeout: float,
    auth_keys: tuple[tuple[int, bytes], ...],
    auth_chunks: tuple[int, ...] | None,
    as_json: bool,
) -> None:
    """Tell what this host has for SCTP, which way a call that names none takes, why, and how to get more.

    With HOSTs, each a peer with one or several addresses or names: which of our addresses packets for them leave from,
    and in which order a connect tries. Nothing is changed, no kernel module is loaded, and nothing is sent but what
    looking up names takes, and with --port the associations that this asks for. The exit status is 1 if a connect to a
    HOST has nowhere to send to, or with --port a HOST answers in no way.
    """
    if port is not None and not hosts:
        raise click.UsageError("--port is for asking a HOST, and none is given.")
    if port is None and (auth_keys or auth_chunks is not None):
        raise click.UsageError("--auth-key and --auth-chunks are for asking a HOST, which takes --port.")
    config = AssociationConfig(**authentication(auth_keys, auth_chunks))
    with one_line():
        report = run(_examine(hosts, port, timeout, config))
    if as_json:
        click.echo(json_text(report.as_json()))
    else:
        from .screen import show  # noqa: PLC0415 - --json does without rich

        show(make_console(sys.stdout), report, sections(report), advice(report))
    if not all(map(_is_fine, report.peers)):
        sys.exit(1)


async def _examine(
    hosts: Sequence[list[str]], port: int | None, timeout: float, config: AssociationConfig
) -> HostReport:
    preset = preset_of_environment()
    choice = choose(host_facts(), preset=preset)
    system = system_facts()
    kernel = kernel_facts()
    report = HostReport(
        system=system,
        kernel=kernel,
        privileges=privilege_facts(system.executable, system.kind),
        network=network_facts(system.kind, kernel.sysctls),
        choice=ChoiceFacts(preset=preset, ways=choice.ways, reasons=choice.reasons),
    )
    peers = await asyncio.gather(*(peer_facts(addresses, ways_taken(report)) for addresses in hosts))
    if port is not None:
        peers = [
            await _probed(peer, addresses, port, timeout, config, report)
            for peer, addresses in zip(peers, hosts, strict=True)
        ]
    return replace(report, peers=tuple(peers))


async def _probed(
    peer: PeerFacts, hosts: list[str], port: int, timeout: float, config: AssociationConfig, report: HostReport
) -> PeerFacts:
    if peer.error:
        return peer
    return replace(peer, probes=tuple([await ask(hosts, port, way, timeout, config) for way in usable_ways(report)]))


def _is_fine(peer: PeerFacts) -> bool:
    """It has an address that can be reached, and answered if it was asked."""
    if peer.probes:
        return any(probe.associated for probe in peer.probes)
    return bool(peer.attempts)
