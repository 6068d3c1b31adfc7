"""A program for another host: servers of both APIs that say which addresses they and their peers have.

``python wildcard.py ADDRESS LINK``, ADDRESS a wildcard or not, LINK "udp" or "raw". It prints a line when it is up. A
line ``aio`` or ``sockets`` is answered with the local addresses of that server, ``associations`` with those of the
associations of the asyncio server, ``peers aio`` and ``peers sockets`` with those of their peers. Peers may change
their addresses (RFC 5061).
"""

from __future__ import annotations

import asyncio
import sys
import threading

import sctpx
from sctpx.link import LinkKind, check_kind

ASYNCIO = 5015
SOCKETS = 5016
CONFIG = sctpx.AssociationConfig(address_reconfiguration=True)
UDP_PORTS = {ASYNCIO: 9902, SOCKETS: 9903}
"""By SCTP port."""


def tell(line: str) -> None:
    """Print a line."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def serve_sockets(listening: sctpx.Socket) -> None:
    """Send back what comes."""
    while True:
        data, address = listening.recvfrom(1000)
        assert address is not None
        listening.sendto(data, address)


async def echo(association: sctpx.Association) -> None:
    """Send back what comes."""
    async for message in association:
        await association.send(message.data)


def udp_port(port: int, link: LinkKind) -> int | None:
    """Where the server with that SCTP port is found."""
    return UDP_PORTS[port] if link == "udp" else None


def peers_of(listening: sctpx.Socket) -> list[str]:
    """The addresses of the peers of a socket."""
    found = listening.getsockopt(sctpx.IPPROTO_SCTP, sctpx.SCTP_GET_ASSOC_ID_LIST)
    return [address[0] for number in found.gaids_assoc_id for address in listening.getpaddrs(number)]


async def main(wildcard: str, link: LinkKind) -> None:
    """Serve, and answer questions."""
    family = sctpx.AF_INET6 if ":" in wildcard else sctpx.AF_INET
    listening = sctpx.socket(family, sctpx.SOCK_SEQPACKET, udp_port=udp_port(SOCKETS, link), link=link, config=CONFIG)
    listening.bind((wildcard, SOCKETS))
    listening.listen()
    threading.Thread(target=serve_sockets, args=(listening,), daemon=True).start()
    own = udp_port(ASYNCIO, link) or 0
    async with await sctpx.start_server(echo, wildcard, ASYNCIO, udp_port=own, link=link, config=CONFIG) as server:
        tell("up")
        loop = asyncio.get_running_loop()
        while question := (await loop.run_in_executor(None, sys.stdin.readline)).strip():
            if question == "aio":
                tell(" ".join(server.local_addresses))
            elif question == "sockets":
                tell(" ".join(address[0] for address in listening.getladdrs()))
            elif question == "peers aio":
                tell(" ".join(address for one in server.associations for address in one.peer_addresses))
            elif question == "peers sockets":
                tell(" ".join(peers_of(listening)))
            else:
                tell(" ".join(address for one in server.associations for address in one.local_addresses))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], check_kind(sys.argv[2])))
