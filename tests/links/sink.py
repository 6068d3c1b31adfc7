"""A program for another host: a server that answers each message with its length and the largest packet it may send.

Its argument is the link: ``udp`` or ``raw``.
"""

from __future__ import annotations

import asyncio
import sys

import sctpx

PORT = 5020


async def serve(association: sctpx.Association) -> None:
    """One association."""
    length = 0
    async for message in association:
        length += len(message.data)
        if not message.more:
            await association.send(str(length).encode())
            length = 0


async def main() -> None:
    """Serve until the program is ended."""
    link = sys.argv[1]
    async with await sctpx.start_server(serve, sys.argv[2], PORT, link=link) as server:  # type: ignore[arg-type]
        sys.stdout.write("up\n")
        sys.stdout.flush()
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
