"""The constants of pysctp: names of C without their prefixes, with Linux's numbers. Others are in the classes."""

from __future__ import annotations

import os
import socket
from typing import Final

from ...link import Named, choose_here
from ...sockapi import constants as c
from ...sockapi.backend import check_backend

BINDX_ADD: Final = c.SCTP_BINDX_ADD_ADDR
BINDX_REMOVE: Final = c.SCTP_BINDX_REM_ADDR
BINDX_REM: Final = BINDX_REMOVE

# How a message is sent, and what is told of a received one.
MSG_UNORDERED: Final = c.SCTP_UNORDERED
MSG_ADDR_OVER: Final = c.SCTP_ADDR_OVER
MSG_ADDR_OVERRIDE: Final = MSG_ADDR_OVER
MSG_ABORT: Final = c.SCTP_ABORT
MSG_EOF: Final = c.SCTP_EOF
MSG_FIN: Final = MSG_EOF
MSG_SENDALL: Final = c.SCTP_SENDALL

# Flags of ``sctp_recv``.
FLAG_NOTIFICATION: Final = c.MSG_NOTIFICATION
FLAG_EOR: Final = c.MSG_EOR
FLAG_DONTROUTE: Final = int(socket.MSG_DONTROUTE)

SOL_SCTP: Final = c.SOL_SCTP
IPPROTO_SCTP: Final = c.IPPROTO_SCTP
SOCK_SEQPACKET: Final = int(socket.SOCK_SEQPACKET)
SOCK_STREAM: Final = int(socket.SOCK_STREAM)
STYLE_TCP: Final = SOCK_STREAM
STYLE_UDP: Final = SOCK_SEQPACKET
TCP_STYLE: Final = STYLE_TCP
UDP_STYLE: Final = STYLE_UDP

HAVE_SCTP: Final = 1
HAVE_KERNEL_SCTP: Final = 2
HAVE_SCTP_MULTIBUF: Final = 4
HAVE_SCTP_NOCONNECT: Final = 8
HAVE_SCTP_PRSCTP: Final = 16
HAVE_SCTP_ADDIP: Final = 32
HAVE_SCTP_CANSET_PRIMARY: Final = 64
HAVE_SCTP_SAT_NETWORK_CAPABILITY: Final = 128


def features() -> int:
    """What there is, as a sum of ``HAVE_*``: sctpx's own stack is no kernel's SCTP, and has the same extensions."""
    here = HAVE_SCTP | HAVE_SCTP_MULTIBUF | HAVE_SCTP_NOCONNECT
    here |= HAVE_SCTP_PRSCTP | HAVE_SCTP_ADDIP | HAVE_SCTP_CANSET_PRIMARY
    if choose_here(Named(backend=check_backend(default_backend()))).kernel:
        here |= HAVE_KERNEL_SCTP
    return here


def default_backend() -> str | None:
    """Who carries the associations of a socket that does not say it: the environment's SCTPX_BACKEND.

    ``None``: as docs/links.md says.
    """
    return os.environ.get("SCTPX_BACKEND") or None
