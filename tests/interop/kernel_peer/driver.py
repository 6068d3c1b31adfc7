"""A peer on the kernel's SCTP that tests drive, inside the guest: a command a line, an answer a line.

    driver.py           ["connectx", {"socket": 1, "addresses": ["10.77.1.1"], "port": 5001}]
                        {"ok": true, "association": 3}

Its words are those of the usrsctp driver, as far as both can do the same. One command runs at a time, and every wait
ends after ``PATIENCE`` seconds. The content of messages is known to both sides (``content``), so that hashes suffice.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import sys
import time
from collections import deque
from pathlib import Path
from socket import SHUT_WR
from typing import Any

import sctpx
from sctpx import constants as c
from sctpx import structs as s

PATIENCE = 20.0
BUFFER = 1 << 20
NOTICES = (c.SCTP_ASSOC_CHANGE, c.SCTP_SHUTDOWN_EVENT, c.SCTP_PEER_ADDR_CHANGE)
ADDRESSES = {
    c.SCTP_ADDR_ADDED: "added",
    c.SCTP_ADDR_REMOVED: "removed",
    c.SCTP_ADDR_MADE_PRIM: "primary",
    c.SCTP_ADDR_CONFIRMED: "confirmed",
}
CHANGES = ("comm_up", "comm_lost", "restart", "shutdown_complete", "cannot_start")
EXTENSIONS = {
    "PR-SCTP": c.SCTP_PR_SUPPORTED,
    "RE-CONFIG": c.SCTP_RECONFIG_SUPPORTED,
    "AUTH": c.SCTP_AUTH_SUPPORTED,
    "ASCONF": c.SCTP_ASCONF_SUPPORTED,
    "ECN": c.SCTP_ECN_SUPPORTED,
    "I-DATA": c.SCTP_INTERLEAVING_SUPPORTED,
}
KEY_OPTIONS = {
    "activate": c.SCTP_AUTH_ACTIVE_KEY,
    "deactivate": c.SCTP_AUTH_DEACTIVATE_KEY,
    "delete": c.SCTP_AUTH_DELETE_KEY,
}


def content(seed: int, size: int) -> bytes:
    """The content of a message, as the usrsctp driver has it."""
    blocks = (hashlib.sha256(b"%d:%d" % (seed, i)).digest() for i in range((size + 31) // 32))
    return b"".join(blocks)[:size]


class Endpoint:
    """A socket, and what was read from it and not asked for yet."""

    def __init__(self, sock: Any) -> None:
        self.sock = sock
        self.messages: deque[dict[str, Any]] = deque()
        self.events: deque[str] = deque()
        self.changes: deque[tuple[str, str]] = deque()
        """(address, what) of the peer's addresses that were added, removed or made primary."""
        self.end: str | None = None
        self._parts: list[bytes] = []
        sock.settimeout(PATIENCE)
        sock.setsockopt(c.IPPROTO_SCTP, c.SCTP_RECVRCVINFO, 1)
        for kind in NOTICES:
            sock.setsockopt(c.IPPROTO_SCTP, c.SCTP_EVENT, s.Event(se_type=kind, se_on=1))

    def take(self) -> None:
        """Read one piece: a notification, or a part of a message."""
        try:
            got = self.sock.recvv(BUFFER)
        except TimeoutError:
            raise
        except OSError as error:
            self.end = errno.errorcode.get(error.errno or 0, "?")
            return
        notice = got.notification
        if isinstance(notice, s.AssocChange):
            self.events.append(CHANGES[notice.sac_state])
        elif isinstance(notice, s.PaddrChange) and notice.spc_state in ADDRESSES and notice.spc_aaddr:
            self.changes.append((notice.spc_aaddr[0], ADDRESSES[notice.spc_state]))
        elif notice is not None:
            self.events.append(type(notice).__name__)
        elif not got.data and not got.flags & c.MSG_EOR:
            self.end = "closed"
        else:
            self._parts.append(got.data)
            if got.flags & c.MSG_EOR:
                data = b"".join(self._parts)
                self._parts.clear()
                info = got.info
                self.messages.append(
                    {
                        "size": len(data),
                        "sha256": hashlib.sha256(data).hexdigest(),
                        "stream": info.rcv_sid,
                        "ssn": info.rcv_ssn,
                        "ppid": info.rcv_ppid,
                        "unordered": bool(info.rcv_flags & c.SCTP_UNORDERED),
                        "data": data,
                    }
                )

    def message(self) -> dict[str, Any] | None:
        """The next message; ``None`` at the end."""
        while not self.messages and self.end is None:
            self.take()
        return self.messages.popleft() if self.messages else None


class Driver:
    """What the commands do. Each method is one, its arguments those of the command."""

    def __init__(self) -> None:
        self._sockets: dict[int, Endpoint] = {}
        self._count = 0

    def _add(self, sock: Any) -> dict[str, Any]:
        self._count += 1
        self._sockets[self._count] = Endpoint(sock)
        return {"socket": self._count}

    def hello(self) -> dict[str, Any]:
        return {"release": os.uname().release}

    def socket(
        self,
        family: int = 4,
        style: str = "one-to-one",
        udp_port: int = 0,
        config: dict[str, Any] | None = None,
        extensions: list[str] | None = None,
    ) -> dict[str, Any]:
        """``udp_port``: where peers are reached; 0 without encapsulation. ``shared_keys`` of ``config`` are text."""
        kind = sctpx.SOCK_STREAM if style == "one-to-one" else sctpx.SOCK_SEQPACKET
        fields = {"send_buffer": 4 << 20, "receive_buffer": 4 << 20, **(config or {})}
        if "shared_keys" in fields:
            fields["shared_keys"] = tuple((number, key.encode()) for number, key in fields["shared_keys"])
        settings = sctpx.AssociationConfig(**fields)
        domain = sctpx.AF_INET6 if family == 6 else sctpx.AF_INET
        sock = sctpx.socket(domain, kind, backend="kernel", peer_udp_port=udp_port, config=settings)
        if extensions and "I-DATA" in extensions:  # Linux takes the option with this level of interleaving only.
            sock.setsockopt(c.IPPROTO_SCTP, c.SCTP_FRAGMENT_INTERLEAVE, 2)
        for name in extensions or ():
            sock.setsockopt(c.IPPROTO_SCTP, EXTENSIONS[name], s.AssocValue(assoc_value=1))
        return self._add(sock)

    def bind(self, socket: int, addresses: list[str], port: int = 0) -> dict[str, Any]:
        sock = self._sockets[socket].sock
        sock.bindx([(address, port) for address in addresses])
        return {"port": sock.getsockname()[1]}

    def unbind(self, socket: int, addresses: list[str]) -> dict[str, Any]:
        """Addresses are given up: the name of the error, or nothing."""
        try:
            self._sockets[socket].sock.bindx([(address, 0) for address in addresses], c.SCTP_BINDX_REM_ADDR)
        except OSError as error:
            return {"error": errno.errorcode.get(error.errno or 0, "?")}
        return {"error": ""}

    def prefer(self, socket: int, address: str) -> dict[str, Any]:
        """The peer is asked to send to this address."""
        sock = self._sockets[socket].sock
        wanted = s.SetPeerPrim(sspp_addr=(address, sock.getsockname()[1]))
        sock.setsockopt(c.IPPROTO_SCTP, c.SCTP_SET_PEER_PRIMARY_ADDR, wanted)
        return {}

    def listen(self, socket: int) -> dict[str, Any]:
        self._sockets[socket].sock.listen()
        return {}

    def accept(self, socket: int) -> dict[str, Any]:
        sock, _ = self._sockets[socket].sock.accept()
        return self._add(sock)

    def connectx(self, socket: int, addresses: list[str], port: int) -> dict[str, Any]:
        begin = time.monotonic()
        number = self._sockets[socket].sock.connectx([(address, port) for address in addresses])
        return {"association": number, "seconds": time.monotonic() - begin}

    def shutdown(self, socket: int) -> dict[str, Any]:
        self._sockets[socket].sock.shutdown(SHUT_WR)
        return {}

    def abort(self, socket: int) -> dict[str, Any]:
        """By closing it, as with TCP."""
        sock = self._sockets.pop(socket).sock
        sock.setsockopt(c.SOL_SOCKET, c.SO_LINGER, s.Linger(l_onoff=1, l_linger=0))
        sock.close()
        return {}

    def close(self, socket: int) -> dict[str, Any]:
        self._sockets.pop(socket).sock.close()
        return {}

    def status(self, socket: int) -> dict[str, Any]:
        sock = self._sockets[socket].sock
        status = sock.getsockopt(c.IPPROTO_SCTP, c.SCTP_STATUS)
        paths = []
        for address in sock.getpaddrs():
            asked = s.PaddrInfo(spinfo_address=address)
            info = sock.opt_info(0, c.SCTP_GET_PEER_ADDR_INFO, asked)
            paths.append({"address": address[0], "active": info.spinfo_state == c.SCTP_ACTIVE, "mtu": info.spinfo_mtu})
        return {
            "established": status.sstat_state == c.SCTP_ESTABLISHED,
            "unacknowledged": status.sstat_unackdata,
            "paths": paths,
            "primary": status.sstat_primary.spinfo_address[0],
        }

    def extensions(self, socket: int) -> dict[str, Any]:
        """Which extensions the association has."""
        sock = self._sockets[socket].sock
        return {name: bool(sock.opt_info(0, number, s.AssocValue()).assoc_value) for name, number in EXTENSIONS.items()}

    def send(
        self,
        socket: int,
        size: int,
        seed: int = 0,
        count: int = 1,
        stream: int = 0,
        ppid: int = 0,
        unordered: bool = False,
        lifetime: int = 0,
        key: int | None = None,
    ) -> dict[str, Any]:
        """``lifetime``: milliseconds after which the message need not arrive (PR-SCTP), if the peer agreed to that.
        ``key``: the shared key to authenticate it with, in place of the active one."""
        info = s.SndInfo(snd_sid=stream, snd_ppid=ppid, snd_flags=c.SCTP_UNORDERED if unordered else 0)
        limited = s.PrInfo(pr_policy=c.SCTP_PR_SCTP_TTL, pr_value=lifetime)
        ancillary: list[tuple[int, int, Any]] = [(c.IPPROTO_SCTP, c.SCTP_SNDINFO, info)]
        if lifetime:
            ancillary.append((c.IPPROTO_SCTP, c.SCTP_PRINFO, limited))
        if key is not None:
            ancillary.append((c.IPPROTO_SCTP, c.SCTP_AUTHINFO, s.AuthInfo(auth_keynumber=key)))
        for number in range(count):
            self._sockets[socket].sock.sendmsg([content(seed + number, size)], ancillary)
        return {}

    def receive(self, socket: int, count: int = 1) -> dict[str, Any]:
        """So many messages, or those until the end."""
        endpoint = self._sockets[socket]
        found: list[dict[str, Any]] = []
        while len(found) < count and (message := endpoint.message()) is not None:
            found.append({name: value for name, value in message.items() if name != "data"})
        return {"messages": found, "end": endpoint.end}

    def events(self, socket: int, until: str) -> dict[str, Any]:
        """The notifications, up to this one or to the end."""
        endpoint = self._sockets[socket]
        found: list[str] = []
        while until not in found:
            while not endpoint.events and endpoint.end is None:
                endpoint.take()
            if not endpoint.events:
                break
            found.append(endpoint.events.popleft())
        return {"events": found, "end": endpoint.end}

    def changed(self, socket: int, address: str, what: str) -> dict[str, Any]:
        """Wait until the kernel has told this of an address of the peer."""
        endpoint = self._sockets[socket]
        while (address, what) not in endpoint.changes and endpoint.end is None:
            endpoint.take()
        endpoint.changes.clear()
        return {"end": endpoint.end}

    def echo(self, socket: int, count: int) -> dict[str, Any]:
        endpoint = self._sockets[socket]
        for _ in range(count):
            message = endpoint.message()
            if message is None:
                break
            info = s.SndInfo(snd_sid=message["stream"], snd_ppid=message["ppid"])
            endpoint.sock.sendmsg([message["data"]], [(c.IPPROTO_SCTP, c.SCTP_SNDINFO, info)])
        return {}

    def sink(self, socket: int, size: int) -> dict[str, Any]:
        """Read until so many bytes: their hash, the seconds from the first, and the longest pause."""
        endpoint = self._sockets[socket]
        digest, left, longest = hashlib.sha256(), size, 0.0
        begin = last = 0.0
        while left > 0 and (message := endpoint.message()) is not None:
            now = time.monotonic()
            begin = begin or now
            longest = max(longest, now - (last or now))
            last = now
            digest.update(message["data"])
            left -= message["size"]
        return {"bytes": size - left, "sha256": digest.hexdigest(), "seconds": last - begin, "gap": longest}

    def source(self, socket: int, size: int, count: int, pause: float = 0.0) -> dict[str, Any]:
        """Send many messages, each the content with its number as seed."""
        sock = self._sockets[socket].sock
        for number in range(count):
            sock.send(content(number, size))
            if pause:
                time.sleep(pause)
        return {}

    def reset_streams(self, socket: int) -> dict[str, Any]:
        """Ask for a reset of all outgoing streams: the name of the error, or nothing."""
        sock = self._sockets[socket].sock
        asked = s.ResetStreams(srs_flags=c.SCTP_STREAM_RESET_OUTGOING)
        try:
            sock.setsockopt(c.IPPROTO_SCTP, c.SCTP_RESET_STREAMS, asked)
        except OSError as error:
            return {"error": errno.errorcode.get(error.errno or 0, "?")}
        return {"error": ""}

    def auth(self, socket: int, what: str, number: int, key: str = "") -> dict[str, Any]:
        """``set``, ``activate``, ``deactivate`` or ``delete`` a shared key."""
        sock = self._sockets[socket].sock
        if what == "set":
            sock.setsockopt(c.IPPROTO_SCTP, c.SCTP_AUTH_KEY, s.AuthKey(sca_keynumber=number, sca_key=key.encode()))
        else:
            sock.setsockopt(c.IPPROTO_SCTP, KEY_OPTIONS[what], s.AuthKeyId(scact_keynumber=number))
        return {}

    def sysctl(self, **values: int) -> dict[str, Any]:
        """Set values of net.sctp: what was there before."""
        before = {}
        for name, value in values.items():
            file = Path("/proc/sys/net/sctp", name)
            before[name] = int(file.read_text())
            file.write_text(str(value))
        return before

    def forget(self) -> dict[str, Any]:
        """Abort and close everything."""
        for number in list(self._sockets):
            self.abort(number)
        return {}


def main() -> None:
    driver = Driver()
    for line in sys.stdin:
        verb, arguments = json.loads(line)
        try:
            answer = {"ok": True, **getattr(driver, verb)(**arguments)}
        except OSError as error:
            answer = {"ok": False, "error": errno.errorcode.get(error.errno or 0, type(error).__name__)}
            answer["detail"] = str(error)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
