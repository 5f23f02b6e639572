"""python -m project.serve: the web process on one address, with every limit of the server set in one place."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import resource
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import uvicorn

from project.receive.heads import BoundedHttp
from project.receive.selftest import chosen
from project.stack import draining

BACKLOG: Final = 2_048
# More than the stack serves at once: whoever comes above that hears it from the stack, in our form.
MAX_CONNECTIONS: Final = 6_000
KEEP_ALIVE_S: Final = 125  # longer than our load balancer's 120 s, or it would meet closed connections
SETTLE_S: Final = 0.2
"""From the last connection that is taken to the end of those that ask nothing: a request follows its connection."""
SOCKET_MESSAGE_BYTES: Final = 64 << 10
MOST_FILES: Final = 65_536
"""File descriptors: the usual 1,024 would be fewer than the connections that the stack serves."""
SWITCH_S: Final = 0.001
"""A thread that computes gives way to the loop so soon: with the five of the default a page waits behind each query."""


class Server(uvicorn.Server):
    """SIGTERM loses no request: what comes is answered with `Connection: close` until nobody comes any more."""

    drain_s = 0

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        # What was loaded stays; without this every full collection walks all of it again.
        gc.collect()
        gc.freeze()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        from api_app.live import stop_streams  # noqa: PLC0415  settings are ready only now

        draining.begin()
        for connection in self.server_state.connections:
            if isinstance(connection, BoundedHttp):
                connection.last_answer()
        await self._serve_on()
        await self._take_who_waits(sockets or [])
        # Whoever watches events would otherwise hold the process up for the whole of its grace.
        stop_streams()
        await super().shutdown(sockets)

    async def _serve_on(self) -> None:
        """While /health/ready says 503: whoever spreads requests has so long to notice."""
        until = time.monotonic() + self.drain_s
        while not self.force_exit and time.monotonic() < until:
            await self.on_tick(0)  # the answers' date
            await asyncio.sleep(min(1, max(0, until - time.monotonic())))

    async def _take_who_waits(self, sockets: list[socket.socket]) -> None:
        """Connections that the kernel has made and nobody has taken would be reset with the listening socket."""
        waiting = [one.dup() for one in sockets]
        for server in self.servers:
            server.close()
        await asyncio.sleep(0)
        for listener in waiting:
            with listener:
                await self._take_all(listener)
        await asyncio.sleep(SETTLE_S)

    async def _take_all(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        listener.setblocking(False)
        taken = []
        with suppress(BlockingIOError):
            while True:
                taken.append(listener.accept()[0])
        listener.close()
        for line in taken:
            await loop.connect_accepted_socket(self._protocol, line)

    def _protocol(self) -> BoundedHttp:
        made: type[Any] = self.config.http_protocol_class
        protocol: BoundedHttp = made(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)
        return protocol


def configuration(app: str | Any = "project.asgi:application", *, grace_s: int = 4) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        loop="uvloop",
        http=BoundedHttp,
        ws="websockets-sansio",
        ws_max_size=SOCKET_MESSAGE_BYTES,
        ws_per_message_deflate=False,  # a small message could unpack into a large one
        lifespan="on",
        log_config=None,
        log_level="warning",  # at "info" it writes the whole address of every live connection, query string and all
        access_log=False,  # the stack writes one, without query strings
        proxy_headers=False,  # the stack decides whom to believe
        server_header=False,
        limit_concurrency=MAX_CONNECTIONS,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=grace_s,
    )


def serve(host: str, port: int, receive: str, *, drain_s: int, grace_s: int) -> None:
    """Until SIGTERM or SIGINT; then `drain_s` more, and at most `grace_s` for what is under way after that."""
    listener = listen(host, port)
    _allow_files()
    config = configuration(grace_s=grace_s)
    gc.disable()
    config.load()  # sets logging up, among all else
    config.http_protocol_class = chosen(receive)
    sys.setswitchinterval(SWITCH_S)
    gc.collect()
    gc.freeze()  # what was loaded lives as long as the process: no collection needs to look at it
    gc.enable()
    server = Server(config)
    server.drain_s = drain_s
    server.run(sockets=[listener])
    if not server.started:
        sys.exit(uvicorn.config.STARTUP_FAILURE)


def _allow_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(MOST_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host.strip("[]"), port))
        listener.listen(BACKLOG)
    except OSError as exc:
        listener.close()
        raise SystemExit(_why(host, port, exc)) from exc
    listener.set_inheritable(False)
    return listener


def _why(host: str, port: int, exc: OSError) -> str:
    if exc.errno == errno.EADDRINUSE:
        holder = holder_of(port)
        by = f" by {holder}" if holder else ""
        return f"Port {port} is taken{by}. Stop that, or choose another port: set ESTEIRA_PORT={port + 1}."
    if exc.errno == errno.EACCES:
        return f"Port {port} needs special rights. Choose one above 1023: set ESTEIRA_PORT=8000."
    return f"Cannot listen on {host}, port {port}: {exc.strerror}. Check ESTEIRA_HOST and ESTEIRA_PORT."


def holder_of(port: int) -> str:
    """`python (pid 123)`, as far as this user may see it."""
    inodes = _listening_inodes(port)
    for folder in Path("/proc").iterdir() if inodes else ():
        if folder.name.isdigit():
            with suppress(OSError):
                links = {str(fd.readlink()) for fd in (folder / "fd").iterdir()}
                if links & inodes:
                    return f"{(folder / 'comm').read_text().strip()} (pid {folder.name})"
    return ""


def _listening_inodes(port: int) -> set[str]:
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with suppress(OSError):
            for line in Path(table).read_text(encoding="ascii").splitlines()[1:]:
                fields = line.split()
                if int(fields[1].rpartition(":")[2], 16) == port and fields[3] == "0A":
                    found.add(f"socket:[{fields[9]}]")
    return found


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    from project import settings  # noqa: PLC0415  a bad setting ends the process here, with a sentence

    serve(
        settings.ESTEIRA_HOST,
        settings.ESTEIRA_PORT,
        settings.RECEIVE,
        drain_s=settings.DRAIN_S,
        grace_s=settings.GRACE_S,
    )


if __name__ == "__main__":
    main()
