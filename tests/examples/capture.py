"""What programs send on loopback, written down by a packet socket and read by tshark: a look that is not ours.

A packet socket takes root, and Linux.
"""

from __future__ import annotations

import socket
import struct
import subprocess
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

_ETH_P_ALL: Final = 3
_LINKTYPE_RAW: Final = 101


class Capture:
    """Packets on the loopback interface, as long as the context lasts, in a file for tshark."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._packets: list[tuple[float, bytes]] = []
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P_ALL))
        self._socket.bind(("lo", _ETH_P_ALL))
        self._socket.settimeout(0.2)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def _listen(self) -> None:
        while True:
            try:
                packet, address = self._socket.recvfrom(65535)
            except TimeoutError:
                if self._ending.is_set():
                    return
                continue
            if address[2] == socket.PACKET_HOST:  # Not the same packet on its way out.
                self._packets.append((time.time(), packet))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ending.set()
        self._thread.join()
        self._socket.close()
        with self.file.open("wb") as file:
            file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 1 << 18, _LINKTYPE_RAW))
            for when, packet in self._packets:
                seconds, rest = divmod(int(when * 1_000_000), 1_000_000)
                file.write(struct.pack("<IIII", seconds, rest, len(packet), len(packet)) + packet)

    def fields(self, tshark: str, *names: str) -> list[tuple[str, ...]]:
        """What tshark says of these fields of each packet, several values of one with commas between them."""
        options = [option for name in names for option in ("-e", name)]
        command = [tshark, "-n", "-r", str(self.file), "-o", "sctp.checksum:CRC-32C", "-T", "fields", *options]
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
        return [tuple(line.split("\t")) for line in done.stdout.splitlines()]
