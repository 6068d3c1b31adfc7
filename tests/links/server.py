"""A program for another host: echo servers of both APIs, which tell what they see of their peers.

A message ``who`` is answered with the peer's addresses as the API gives them, ``back PORT UDP-PORT`` by connecting to
the peer's address at these ports and sending ``here I am``; any other message comes back.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from typing import Any

import sctpx

ASYNCIO = 5015
ONE_TO_ONE = 5016
ONE_TO_MANY = 5017
UDP_PORTS = {ASYNCIO: 9902, ONE_TO_ONE: 9900, ONE_TO_MANY: 9901}
"""By SCTP port."""


async def serve(association: sctpx.Association) -> None:
    """One association with asyncio."""
    async for message in association:
        words = message.data.decode().split()
        if words[0] == "who":
            await association.send(repr(association.peer_addresses).encode())
        elif words[0] == "back":
            port, udp_port = map(int, words[1:])
            async with sctpx.connect(association.peer_addresses, port, peer_udp_port=udp_port, timeout=5) as back:
                await back.send(b"here I am")
        else:
            await association.send(message.data)


def connect_back(address: Any, port: int, udp_port: int) -> None:
    """With sockets, to the address of a peer."""
    with sctpx.socket(sctpx.AF_INET6, sctpx.SOCK_STREAM, peer_udp_port=udp_port) as back:
        back.settimeout(5)
        back.connect((address[0], port, *address[2:]))
        back.send(b"here I am")


def serve_one_to_one(listening: sctpx.Socket) -> None:
    """All associations of a one-to-one socket, one after the other."""
    while True:
        accepted, address = listening.accept()
        with accepted:
            while data := accepted.recv(1000):
                words = data.decode().split()
                if words[0] == "who":
                    accepted.send(repr([address, accepted.getpeername(), *accepted.getpaddrs()]).encode())
                elif words[0] == "back":
                    connect_back(address, *map(int, words[1:]))
                else:
                    accepted.send(data)


def serve_one_to_many(listening: sctpx.Socket) -> None:
    """All associations of a one-to-many socket."""
    while True:
        data, address = listening.recvfrom(1000)
        assert address is not None
        words = data.decode().split()
        if words[0] == "who":
            paths = listening.getpaddrs(listening.getassocid(address))
            listening.sendto(repr([address, *paths]).encode(), address)
        elif words[0] == "back":
            connect_back(address, *map(int, words[1:]))
        else:
            listening.sendto(data, address)


async def main() -> None:
    """Serve until the program is ended."""
    for port, style, serving in (
        (ONE_TO_ONE, sctpx.SOCK_STREAM, serve_one_to_one),
        (ONE_TO_MANY, sctpx.SOCK_SEQPACKET, serve_one_to_many),
    ):
        listening = sctpx.socket(sctpx.AF_INET6, style, udp_port=UDP_PORTS[port])
        listening.bind(("::", port))
        listening.listen()
        threading.Thread(target=serving, args=(listening,), daemon=True).start()
    async with await sctpx.start_server(serve, None, ASYNCIO, udp_port=UDP_PORTS[ASYNCIO]) as server:
        sys.stdout.write("up\n")
        sys.stdout.flush()
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
