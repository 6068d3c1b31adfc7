"""Streams of an association that the kernel carries (RFC 6525, RFC 8260): a part of ``KernelAssociation``."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ...kernel.socket import KernelSocket
from ...sockapi import constants as c
from ...sockapi import structs as s


class KernelStreams:
    """Streams are reset, added and ranked, by the options of the association's socket."""

    __slots__ = ()

    _sock: KernelSocket
    _check_open: Callable[[], None]

    def set_stream_value(self, stream: int, value: int) -> None:
        """The priority of a stream for the kernel's scheduler. ``OSError``: EINVAL (no such stream), ENOTCONN."""
        self._check_open()
        wanted = s.StreamValue(stream_id=stream, stream_value=value)
        self._sock.set_option(c.IPPROTO_SCTP, c.SCTP_STREAM_SCHEDULER_VALUE, wanted)

    def reset_streams(self, streams: Iterable[int] = (), *, outgoing: bool = True, incoming: bool = False) -> None:
        """Ask for a reset of streams. ``OSError`` as the kernel has it: EAGAIN while data of these streams waits."""
        self._check_open()
        flags = c.SCTP_STREAM_RESET_OUTGOING if outgoing else 0
        flags |= c.SCTP_STREAM_RESET_INCOMING if incoming else 0
        wanted = s.ResetStreams(srs_flags=flags, srs_stream_list=tuple(streams))
        self._sock.set_option(c.IPPROTO_SCTP, c.SCTP_RESET_STREAMS, wanted)

    def reset_association(self) -> None:
        """Ask for a reset of all SSNs and TSNs. ``OSError`` as the kernel has it."""
        self._check_open()
        self._sock.set_option(c.IPPROTO_SCTP, c.SCTP_RESET_ASSOC, s.AssocValue())

    def add_streams(self, *, outgoing: int = 0, incoming: int = 0) -> None:
        """Ask for more streams. ``OSError`` as the kernel has it."""
        self._check_open()
        wanted = s.AddStreams(sas_outstrms=outgoing, sas_instrms=incoming)
        self._sock.set_option(c.IPPROTO_SCTP, c.SCTP_ADD_STREAMS, wanted)

    @property
    def reconfigurable(self) -> bool:
        """Whether the kernel and the peer have agreed on RFC 6525."""
        found = self._sock.get_option(c.IPPROTO_SCTP, c.SCTP_RECONFIG_SUPPORTED, s.AssocValue())
        return isinstance(found, s.AssocValue) and found.assoc_value != 0
