"""An egress proxy for tests, as a process: CONNECT and no more. It prints its port, then each address asked for."""

from __future__ import annotations

import asyncio
import re
import sys
from contextlib import suppress

ASKED = re.compile(rb"CONNECT (\S+):(\d+) HTTP/1\.1\r\n")


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    asked = ASKED.match(head)
    if asked is None:
        writer.write(b"HTTP/1.1 405 Only CONNECT\r\nContent-Length: 0\r\n\r\n")
        writer.close()
        return
    host, port = asked[1].decode().strip("[]"), int(asked[2])
    print(host, port, flush=True)
    try:
        far_reader, far_writer = await asyncio.wait_for(asyncio.open_connection(host, port), 5)
    except (OSError, TimeoutError):
        writer.write(b"HTTP/1.1 502 No way there\r\nContent-Length: 0\r\n\r\n")
        writer.close()
        return
    writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
    await asyncio.gather(copy(reader, far_writer), copy(far_reader, writer))


async def main(host: str) -> None:
    server = await asyncio.start_server(serve, host, 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
