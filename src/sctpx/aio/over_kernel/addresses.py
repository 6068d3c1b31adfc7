"""Addresses of an association that the kernel carries, ours and the peer's: a part of ``KernelAssociation``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ...kernel.socket import KernelSocket
from ...sockapi import constants as c
from ...sockapi import structs as s
from ...sockapi.addresses import pack_ip


class KernelAddresses:
    """Paths are chosen and asked, addresses added and deleted, by the options of the association's socket."""

    __slots__ = ()

    _sock: KernelSocket
    _check_open: Callable[[], None]

    if TYPE_CHECKING:

        @property
        def port(self) -> int:
            """Our SCTP port."""

        @property
        def peer_port(self) -> int:
            """The peer's SCTP port."""

    def set_primary(self, address: str) -> None:
        """Send data to this address of the peer. ``OSError``: EINVAL (it is none, or not confirmed), ENOTCONN."""
        self._check_open()
        wanted = s.SetPrim(ssp_addr=(address, self.peer_port))
        self._sock.set_option(c.IPPROTO_SCTP, c.SCTP_PRIMARY_ADDR, wanted)

    def heartbeat(self, address: str) -> None:
        """Send a HEARTBEAT to this address of the peer now. ``OSError``: EINVAL (it is none), ENOTCONN."""
        self._check_open()
        wanted = s.PaddrParams(spp_address=(address, self.peer_port), spp_flags=c.SPP_HB_DEMAND)
        self._sock.set_option(c.IPPROTO_SCTP, c.SCTP_PEER_ADDR_PARAMS, wanted)

    def add_address(self, address: str) -> None:
        """Have one more address of this host, and the peer told. ``OSError`` as the kernel has it."""
        self._check_open()
        self._sock.bindx([pack_ip(address)], [0], c.SCTP_BINDX_ADD_ADDR)

    def remove_address(self, address: str) -> None:
        """Have the peer send to this address no more. ``OSError`` as the kernel has it."""
        self._check_open()
        self._sock.bindx([pack_ip(address)], [0], c.SCTP_BINDX_REM_ADDR)

    def set_peer_primary(self, address: str) -> None:
        """Ask the peer to send to this address of ours. ``OSError`` as the kernel has it."""
        self._check_open()
        wanted = s.SetPeerPrim(sspp_addr=(address, self.port))
        self._sock.set_option(c.IPPROTO_SCTP, c.SCTP_SET_PEER_PRIMARY_ADDR, wanted)

    @property
    def address_reconfigurable(self) -> bool:
        """Whether the kernel and the peer have agreed on RFC 5061."""
        found = self._sock.get_option(c.IPPROTO_SCTP, c.SCTP_ASCONF_SUPPORTED, s.AssocValue())
        return isinstance(found, s.AssocValue) and found.assoc_value != 0
