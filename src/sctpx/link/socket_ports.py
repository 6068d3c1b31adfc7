"""The SCTP ports of one raw socket: which are open at its address, and which packets are for it.

A port is open here once this process owns it (``port_owner``). The filter in the kernel (``packet_filter``) follows the
ports as they open and close. It lets in more than what is for them, since packets for ports that nobody has may have to
be answered from here (``raw_users``), and it is set before the ports of others change. So each packet is looked at
again when it is received: a packet for an open port is for this socket, and any other packet is if it is answered from
here.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from typing import final

from .held_name import HeldName
from .packet_filter import Others, attach, program
from .port_owner import PortOwner, is_owned, own
from .raw_users import Standing, mark, standing


@final
class SocketPorts:
    """The SCTP ports that are open on a raw socket."""

    __slots__ = (
        "_foreign",
        "_has_ports",
        "_inode",
        "_ip",
        "_mark",
        "_others",
        "_owners",
        "_socket",
        "_standing",
        "in_packets",
    )

    def __init__(self, sock: socket.socket, ip: bytes) -> None:
        """No port is open. ``sock`` is bound to the address, and lets nothing in. ``OSError``: EMFILE."""
        self._socket = sock
        self._ip = ip
        self._inode = os.fstat(sock.fileno()).st_ino
        self._mark = mark(self._inode)
        self._has_ports: HeldName | None = None
        self.in_packets: set[bytes] = set()
        """The open ports as packets have them: two bytes in network order."""
        self._owners: dict[int, PortOwner] = {}
        self._others = Others.NONE
        # What is known of other sockets, since the round began.
        self._standing: Standing | None = None
        self._foreign: set[bytes] = set()

    def __contains__(self, port: int) -> bool:
        return port in self._owners

    def __len__(self) -> int:
        return len(self._owners)

    def open(self, port: int) -> None:
        """Take an SCTP port of the address, and its packets. One that is open here already is no error.

        ``OSError``: EADDRINUSE if another link of this host has it (the message says who); EMFILE.
        """
        if port in self._owners:
            return
        self._owners[port] = own(self._ip, port)
        self.in_packets.add(port.to_bytes(2, "big"))
        try:
            self._set_filter()
            if self._has_ports is None:
                self._has_ports = mark(self._inode, has_ports=True)
        except OSError:
            self._forget(port)
            raise

    def close_port(self, port: int) -> None:
        """Give an SCTP port up; one that is not open is no error."""
        if port in self._owners:
            self._forget(port)
            with suppress(OSError):  # The filter that stays lets in too much, and each packet is looked at again.
                self._set_filter()

    def close(self) -> None:
        """Give all ports up, after the socket was closed. Doing so twice does nothing."""
        for owner in self._owners.values():
            owner.release()
        self._note_no_ports()
        self._mark.release()

    def _forget(self, port: int) -> None:
        self.in_packets.discard(port.to_bytes(2, "big"))
        self._owners.pop(port).release()
        if not self._owners:
            self._note_no_ports()

    def _note_no_ports(self) -> None:
        if self._has_ports is not None:
            self._has_ports.release()
            self._has_ports = None

    def _set_filter(self) -> None:
        """Let in what is for the ports here, and the packets for other ports that may have to be answered."""
        others = Others.NONE
        if self._owners:
            alone = standing(self._ip, self._inode) is Standing.ALONE
            others = Others.ALL if alone else Others.CONTROL
        attach(self._socket, program(self._owners, others, ipv6=self._socket.family == socket.AF_INET6))
        self._others = others

    # --- packets for other ports ---

    def begin_round(self) -> None:
        """Packets are about to be received: what is known of other sockets may be out of date."""
        if self._foreign:
            self._foreign.clear()
        self._standing = None

    def answers_for(self, port: bytes) -> bool:
        """Whether a packet for a port that is not open here is to be answered from here.

        What a flood of packets costs is bounded: who else receives at the address is asked once a round, and so is
        whether another process has the port. Most such packets are for other processes, so that is asked first; but a
        filter that lets all in because this socket was alone is changed with the first packet for another process.
        """
        if port in self._foreign:
            return False
        if self._others is Others.ALL and self._standing is None:
            self._look_around()
        if is_owned(self._ip, int.from_bytes(port, "big")):
            self._foreign.add(port)
            return False
        if self._standing is None:
            self._look_around()
        return self._standing is not Standing.SILENT

    def _look_around(self) -> None:
        self._standing = standing(self._ip, self._inode)
        if self._others is Others.ALL and self._standing is not Standing.ALONE:
            with suppress(OSError):
                self._set_filter()
