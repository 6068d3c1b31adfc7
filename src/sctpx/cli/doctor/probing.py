"""Asking a peer: in each way, an association that is aborted as soon as it is up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...aio import connect
from ...core.config import AssociationConfig
from ...errors import ConnectError
from ...link import SCTP_TUNNELING_PORT
from ..failure import explain
from ..output import time_text
from .facts import Probe


async def ask(hosts: Sequence[str], port: int, way: str, timeout: float, config: AssociationConfig) -> Probe:
    """Connect in one way, and abort. What the network or the system says against it is an answer, too."""
    named: dict[str, Any] = {"backend": "kernel"} if way == "kernel" else {"backend": "userspace", "link": way}
    if way == "udp":
        named["peer_udp_port"] = SCTP_TUNNELING_PORT
    try:
        association = await connect(list(hosts), port, timeout=timeout, config=config, **named)
    except ConnectError as error:
        said = explain(error).partition(" (")[0]  # In brackets is what the report has.
        return Probe(way=way, associated=False, said=said, report=tuple(error.report))
    except OSError as error:
        return Probe(way=way, associated=False, said=explain(error))
    report = tuple(association.report)
    association.abort()
    took = [entry.answered for entry in report if entry.answered is not None and entry.answer == "INIT ACK"]
    said = f"an association came up; INIT ACK after {time_text(min(took))}" if took else "an association came up"
    return Probe(way=way, associated=True, said=said, report=report)
