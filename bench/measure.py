"""One run of one stack at one piece of work, and rounds of them."""

from __future__ import annotations

import json
import os
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from .build import Unavailable, build_relay
from .network import Cables, Loopback, Network
from .pair import Failed, Pair, Report
from .results import Results, Row
from .stacks import Stack
from .works import Work

SECONDS_BEFORE_CUT = 3.0
"""From the start of the client until a cable is cut."""
ONE_SIDED = ("pingpong", "setup", "connectx", "first")
"""Modes in which only the client measures."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where and what."""

    work: Work
    stack: Stack
    network: Network


def run_once(place: Place, seed: int) -> tuple[Report, Report]:
    """The reports of server and client. ``Failed`` if one does not come, ``Unavailable`` if it cannot be done here."""
    work, network = place.work, place.network
    network.cut(*range(work.dead))
    relay = None if work.loss is None else str(build_relay())
    limit = int(work.limit) + 1
    options: dict[str, Any] = {"secs": work.seconds, "limit": limit, **work.options}
    options |= work.options_of.get(place.stack.name, {})
    with Pair(place.stack, work.mode, options, network, relayed=relay is not None) as pair:
        between = None
        if relay is not None:
            assert work.loss is not None
            law = [round(work.loss * 1e6), round(work.delay * 1e6), round(work.rate), work.queue, seed, limit]
            between = pair.start([relay, *map(str, (*pair.ports, *law))])
            between.await_ready()
        pair.start_client()
        cut = 0.0
        if work.mode == "cut":
            time.sleep(SECONDS_BEFORE_CUT)
            cut = time.monotonic()
            network.cut(0)
        server = {} if work.mode in ONE_SIDED else pair.server_report(work.limit)
        client = {} if work.mode == "cut" else pair.client_report(work.limit)
        client["cut"] = cut
        if between is not None:
            between.ask_to_end()
            _check_relay(json.loads(between.line(5.0)))
    return server, client


def _check_relay(done: Report) -> None:
    """What overflowed in the relay was lost by no draw."""
    if done["overflowed"]:
        raise Failed(f"the relay overflowed: {done}")


class Measurement:
    """Rounds of works and stacks, and what came out of them."""

    def __init__(self, stacks: Mapping[str, Stack], tell: Callable[[str], object]) -> None:
        """``tell`` is called with a line about what is going on, and with what was left out."""
        self.results = Results()
        self.left_out: list[str] = []
        self._stacks = stacks
        self._tell = tell
        self._networks: dict[tuple[int, int], Network] = {}
        self._open = ExitStack()

    def __enter__(self) -> Measurement:
        return self

    def __exit__(self, *exception: object) -> None:
        self._open.close()

    def measure(self, works: Sequence[Work], conditions: Mapping[str, Any]) -> None:
        """Do these works in common rounds, and add their rows to the results."""
        places = [
            Place(work, self._stacks[name], network)
            for work in works
            if (network := self._network(work)) is not None
            for name in work.stacks
            if name in self._stacks
        ]
        runs: dict[tuple[str, str], list[tuple[Report, Report]]] = defaultdict(list)
        failures: dict[tuple[str, str], list[str]] = defaultdict(list)
        for repetition in range(max((work.repetitions for work in works), default=0)):
            for place in places:
                work, key = place.work, (place.work.name, place.stack.name)
                if repetition >= work.repetitions or len(failures[key]) > 1:
                    continue
                self._tell(f"{work.name}, {place.stack.name}, {repetition + 1} of {work.repetitions}")
                try:
                    runs[key].append(run_once(place, repetition + 1))
                except (Failed, Unavailable) as error:
                    failures[key].append(str(error))
        for place in places:
            key = place.work.name, place.stack.name
            if failures[key]:
                lost = f"{len(failures[key])} of {len(runs[key]) + len(failures[key])} runs failed"
                self._leave_out(f"{place.work.name}, {place.stack.name}: {lost}: {failures[key][-1]}")
            if runs[key]:
                self._add(place, runs[key], conditions)

    def _network(self, work: Work) -> Network | None:
        key = work.cables, 0 if work.cables else work.mtu
        try:
            if key not in self._networks:
                network = Cables(work.cables) if work.cables else Loopback(work.mtu)
                self._networks[key] = self._open.enter_context(network)
        except Unavailable as reason:
            self._leave_out(f"{work.name} is skipped: {reason}")
            return None
        return self._networks[key]

    def _leave_out(self, line: str) -> None:
        self.left_out.append(line)
        self._tell(line)

    def _add(self, place: Place, runs: Sequence[tuple[Report, Report]], conditions: Mapping[str, Any]) -> None:
        work = place.work
        how: dict[str, Any] = {**conditions, "version": place.stack.version, **work.conditions, **work.options}
        how |= work.options_of.get(place.stack.name, {})
        how |= {"namespace": place.network.in_namespace, "load": round(os.getloadavg()[0], 2)}
        how |= {"cables": work.cables} if work.cables else {"mtu": work.mtu}
        how |= {"seconds": work.seconds} if work.seconds else {}
        how |= {} if work.loss is None else {"loss": work.loss, "delay_ms": work.delay * 1e3}
        how |= {"rate": work.rate, "queue": work.queue} if work.rate else {}
        for suffix, unit, read in work.figures:
            try:
                values = [read(server, client) for server, client in runs]
            except ZeroDivisionError:
                continue  # A stack that does not count its packets.
            self.results.rows.append(
                Row.of(
                    values,
                    work=work.name + suffix,
                    stack=place.stack.name,
                    unit=unit,
                    title=work.title,
                    conditions=how,
                )
            )
