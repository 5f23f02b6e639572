"""People and programs at work while processes are exchanged: nobody asks twice, so every failure counts."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self
from uuid import uuid4

import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Origin

from api_app.client import Client
from tests.live.bench_user import sign_in

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from tests.deploy.fleet import Fleet

PAUSE_S: Final = 0.5
CSRF: Final = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


@dataclass
class Seen:
    asked: int = 0
    failed: list[str] = field(default_factory=list)
    jobs: list[str] = field(default_factory=list)
    """Ids that were promised, from both doors."""
    closed: list[int] = field(default_factory=list)
    """Codes that sockets were closed with; each was opened again."""
    watched: list[str] = field(default_factory=list)


class Load:
    """Runs until it is left. On kept connections, as browsers and programs have them, unless told otherwise."""

    def __init__(self, fleet: Fleet, pipeline: str, file_id: str, *, keeps: bool = True) -> None:
        self._fleet, self._pipeline, self._file = fleet, pipeline, file_id
        self.seen = Seen()
        self._headers = {} if keeps else {"Connection": "close"}
        self._over = threading.Event()
        self._cookie = sign_in(fleet)  # type: ignore[arg-type]  # what it needs of a platform, a fleet has
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(60)

    async def _run(self) -> None:
        first = await asyncio.to_thread(self._first_job)
        watching = [asyncio.create_task(self._socket(first)) for _ in range(3)]
        follower = asyncio.create_task(asyncio.to_thread(self._follow, first))
        doors = [self._programs, self._programs, self._pages, self._looks]
        await asyncio.gather(*(self._door(door) for door in doors))
        for one in watching:
            one.cancel()
        await asyncio.gather(*watching, return_exceptions=True)
        await follower

    def _options(self) -> dict[str, Any]:
        return {"base_url": self._fleet.url, "headers": self._headers, "trust_env": False, "timeout": 60}

    async def _door(self, ask: Callable[[httpx.AsyncClient], Coroutine[Any, Any, None]]) -> None:
        async with httpx.AsyncClient(**self._options()) as client:
            while not self._over.is_set():
                try:
                    await ask(client)
                except httpx.TransportError as exc:
                    self.seen.failed.append(repr(exc))
                await asyncio.sleep(PAUSE_S)

    async def _asked(self, client: httpx.AsyncClient, method: str, path: str, **options: Any) -> httpx.Response:
        self.seen.asked += 1
        answer = await client.request(method, path, **options)
        if answer.status_code >= httpx.codes.BAD_REQUEST:
            self.seen.failed.append(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
        return answer

    async def _programs(self, client: httpx.AsyncClient) -> None:
        headers = {"Authorization": f"Bearer {self._fleet.token}", "Idempotency-Key": uuid4().hex}
        body = {"pipeline": self._pipeline, "inputs": [self._file]}
        answer = await self._asked(client, "POST", "/api/v1/jobs", json=body, headers=headers)
        if answer.is_success:
            self.seen.jobs.append(answer.json()["id"])

    async def _looks(self, client: httpx.AsyncClient) -> None:
        headers = {"Authorization": f"Bearer {self._fleet.token}"}
        for path in ("/api/v1/jobs?limit=5", f"/api/v1/files/{self._file}/content"):
            await self._asked(client, "GET", path, headers=headers)
        name = f"{uuid4().hex}.txt"
        await self._asked(client, "POST", f"/api/v1/uploads?name={name}", headers=headers, content=name.encode())

    async def _pages(self, client: httpx.AsyncClient) -> None:
        """A person: the form, and what it is sent with."""
        headers = {"Cookie": self._cookie, "Origin": self._fleet.url}
        page = await self._asked(client, "GET", f"/jobs/new/?files={self._file}", headers=headers)
        if not (token := CSRF.search(page.text)):
            self.seen.failed.append(f"no form: {page.text[:300]}")
            return
        form = {
            "csrfmiddlewaretoken": token[1],
            "files": self._file,
            "pipeline": f"{self._pipeline}@1.0.0",
            "shown": f"{self._pipeline}@1.0.0",
            "name": "",
            "key": uuid4().hex,
        }
        answer = await self._asked(client, "POST", "/jobs/new/", data=form, headers=headers)
        if found := re.fullmatch(r"/jobs/([0-9a-f-]{36})/", answer.headers.get("location", "")):
            self.seen.jobs.append(found[1])
        elif answer.status_code < httpx.codes.BAD_REQUEST:
            self.seen.failed.append(f"the form was not taken: {answer.status_code} {answer.text[:300]}")

    def _first_job(self) -> str:
        with Client(self._fleet.url, self._fleet.token) as client:
            return client.submit("long-work", [self._file])["id"]

    async def _socket(self, job_id: str) -> None:
        """As the script of a page: told that the service restarts it comes back, elsewhere."""
        address = f"{self._fleet.url.replace('http', 'ws', 1)}/ws/jobs/{job_id}"
        while True:
            try:
                headers = {"Cookie": self._cookie}
                async with connect(address, origin=Origin(self._fleet.url), additional_headers=headers) as socket:
                    async for _ in socket:
                        pass
                    self.seen.closed.append(socket.close_code or 0)
            except ConnectionClosed as exc:
                self.seen.closed.append(exc.rcvd.code if exc.rcvd else 0)

    def _follow(self, job_id: str) -> None:
        """As `esteira watch`: the client itself comes back, and says the end."""
        with Client(self._fleet.url, self._fleet.token) as client:
            self.seen.watched = [job["state"] for job in client.watch(job_id)]


def until(is_so: Callable[[], bool], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)
