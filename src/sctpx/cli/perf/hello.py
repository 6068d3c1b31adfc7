"""What a client tells the server about the run: two small JSON messages on stream 0, with a PPID of their own.

The first one begins the run and says what it is; in bulk mode a second one ends the warm-up, and what comes after it
counts. A peer that sends neither is a peer all the same: the server does what its ``--mode`` says.
"""

from __future__ import annotations

import json
from typing import Any, Final

from ...sockapi.receive import Message

MODES: Final = ("bulk", "pingpong", "setup")

PPID: Final = 0x70657266
"""``perf``: the payload protocol identifier of both messages."""

_MARK: Final = "sctpx perf"


def encode(stage: str, **values: Any) -> bytes:
    """A message to the server; ``stage`` is ``hello`` or ``start``."""
    return json.dumps({_MARK: stage, **values}).encode()


def decode(message: Message) -> dict[str, Any]:
    """What a message says, its stage under ``stage``; ``{}`` if it is none of these."""
    if message.ppid != PPID:
        return {}
    try:
        values = json.loads(message.data)
    except ValueError:
        return {}
    if not isinstance(values, dict) or _MARK not in values:
        return {}
    values["stage"] = values.pop(_MARK)
    return values


def hello(mode: str, size: int, warmup: bool) -> bytes:
    """The first message: the mode, the size of messages, whether a warm-up comes first."""
    return encode("hello", mode=mode, size=size, warmup=warmup)


def start() -> bytes:
    """The second message: the warm-up is over."""
    return encode("start")
