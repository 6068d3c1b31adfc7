"""``Option``: what the tables of options have a row of.

A row says which struct the option has, which associations it can be set for, and which functions read and set it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, final

from .. import constants as c
from .. import structs as s
from .scope import Reach, Scope
from .whole import Change

Getter = Callable[[Scope, Any], Any]
Setter = Callable[[Scope, Any], Change]


@final
@dataclass(frozen=True, slots=True)
class Option:
    """One option."""

    name: str
    section: str
    """Of RFC 6458, or of the RFC it names."""
    kind: type[s.Struct] | type[int]
    """The struct of its value; ``int`` for C's."""
    reach: Reach
    get: Getter | None = None
    set: Setter | None = None
    needs: str = ""
    """The extension without which it cannot be used: EOPNOTSUPP."""
    level: int = c.IPPROTO_SCTP
    shorter: tuple[int, ...] = ()
    """Sizes the value had before, which are accepted still; what is missing counts as zeros."""
    refused: str = ""
    """Why the option can only be off: EOPNOTSUPP, and what to do instead."""
    code: int = -1
    """Its number in C, where ``constants`` has none."""

    @property
    def number(self) -> int:
        """Its number in C."""
        return c.names()[self.name] if self.code < 0 else self.code

    @property
    def usable(self) -> bool:
        """It can be used now."""
        return not self.needs

    @property
    def access(self) -> str:
        """As the RFC classes it."""
        if self.name in READ_ONLY:
            return "get"
        return "set" if self.name in WRITE_ONLY else "get, set"


READ_ONLY: Final = frozenset(
    {
        "SCTP_STATUS",
        "SCTP_GET_PEER_ADDR_INFO",
        "SCTP_PEER_AUTH_CHUNKS",
        "SCTP_LOCAL_AUTH_CHUNKS",
        "SCTP_GET_ASSOC_NUMBER",
        "SCTP_GET_ASSOC_ID_LIST",
        "SCTP_GET_ASSOC_STATS",
        "SCTP_PR_ASSOC_STATUS",
        "SCTP_PR_STREAM_STATUS",
    }
)
WRITE_ONLY: Final = frozenset(
    {
        "SCTP_SET_PEER_PRIMARY_ADDR",
        "SCTP_AUTH_CHUNK",
        "SCTP_AUTH_KEY",
        "SCTP_AUTH_DEACTIVATE_KEY",
        "SCTP_AUTH_DELETE_KEY",
        "SCTP_RESET_STREAMS",
        "SCTP_RESET_ASSOC",
        "SCTP_ADD_STREAMS",
    }
)
