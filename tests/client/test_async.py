"""What holds for whoever awaits: the same retries, keys and refusals, and an end at once for what is canceled."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import aclosing
from typing import TYPE_CHECKING

import pytest

from api_app.client import AsyncClient, ProblemError, UnreachableError
from api_app.client.contract import files, jobs, webhooks
from api_app.client.credentials import Credentials
from api_app.client.errors import StoppedError
from api_app.client.transport import Transport
from tests.client.fake_faults import answer, hang_up, lose_answer
from tests.client.fake_server import TOKEN, Platform
from tests.client.fake_shapes import END

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path


@pytest.fixture
async def client(url: str) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(url, TOKEN, patience_s=3) as one:
        yield one


def sending() -> list[str]:
    return [one.name for one in threading.enumerate() if one.name.startswith(("esteira", "part", "file"))]


@pytest.mark.parametrize("fault", [answer(429), answer(503), answer(504), hang_up()])
async def test_passing_trouble_is_tried_again(client: AsyncClient, platform: Platform, fault: object) -> None:
    platform.fail("GET /me", fault, fault)  # type: ignore[arg-type]
    assert (await client.me())["user"] == "ana"
    assert len(platform.calls("GET", "/me")) == 3


async def test_a_try_before_that_is_still_at_work_is_waited_for(client: AsyncClient, platform: Platform) -> None:
    job = platform.add_job(state="FAILED")
    platform.fail(f"POST /jobs/{job['id']}/retry", answer(409, "request_in_progress"), answer(409, "conflict"))
    with pytest.raises(ProblemError) as caught:
        await client.retry(job["id"])
    assert caught.value.code == "conflict"
    assert len(platform.calls("POST", f"/jobs/{job['id']}/retry")) == 2


async def test_a_lost_answer_submits_one_job(client: AsyncClient, platform: Platform) -> None:
    file = platform.add_file("a.txt", b"a", kind="upload")
    platform.fail("POST /jobs", lose_answer, answer(503))
    job = await client.submit("inspect", [file["id"]])
    assert list(platform.jobs) == [job["id"]]
    assert len({headers["idempotency-key"] for headers in platform.calls("POST", "/jobs")}) == 1


async def test_what_has_no_key_is_not_repeated_when_it_may_have_happened(
    client: AsyncClient, platform: Platform
) -> None:
    await client.me()
    platform.fail("POST /webhooks", lose_answer)
    with pytest.raises(UnreachableError, match="stopped answering"):
        await client.ask(webhooks.create_webhook({"url": "https://hooks.example/", "workspace": "lab"}))
    assert len(platform.calls("POST", "/webhooks")) == 1


async def test_a_refusal_has_its_code(client: AsyncClient, platform: Platform) -> None:
    job = platform.add_job(state="CANCELED", finished_at=END)
    with pytest.raises(ProblemError) as caught:
        await client.cancel(job["id"])
    assert (caught.value.code, caught.value.status) == ("job_finished", 409)


async def test_patience_ends_and_a_person_is_told(url: str, platform: Platform) -> None:
    said: list[str] = []
    async with AsyncClient(url, TOKEN, patience_s=1.2, notice=said.append) as client:
        await client.me()
        platform.fail("GET /me", answer(503, Retry_After="1"), answer(503, Retry_After="1"))
        with pytest.raises(ProblemError, match="try again later"):
            await client.me()
    assert said == [f"{url} is busy; trying again …"]


async def test_lists_go_over_all_pages(client: AsyncClient, platform: Platform) -> None:
    made = [platform.add_job()["id"] for _ in range(5)]
    found = [job["id"] async for job in client.each(jobs.list_jobs(limit=2))]
    assert found == made[::-1]
    assert [job["id"] async for job in client.jobs(limit=3)] == made[:1:-1]


async def test_bytes_come_from_where_the_platform_leads(client: AsyncClient, platform: Platform, s3: str) -> None:
    file = platform.add_file("a.txt", b"all of it")
    platform.fail(f"GET /files/{file['id']}/content", answer(302, Location=f"{s3}/uploads/a"), hang_up())
    platform.fail("GET /uploads/a", answer(503))
    assert await client.ask(files.download_file(file["id"])) == b"all of it"


async def test_watch_tells_every_change_and_ends(client: AsyncClient, platform: Platform) -> None:
    job = platform.add_job(state="QUEUED")
    platform.script = [{}, {"state": "RUNNING"}, {"state": "SUCCEEDED", "finished_at": END}]
    seen = [one["state"] async for one in client.watch(job["id"])]
    assert seen == ["QUEUED", "RUNNING", "SUCCEEDED"]


async def test_events_come_once_over_broken_connections(client: AsyncClient, platform: Platform) -> None:
    job = platform.add_job()
    platform.events[job["id"]] = [{"id": n, "job": job["id"], "kind": "job"} for n in range(1, 6)]
    platform.fail(f"GET /jobs/{job['id']}/events", lambda _: False, answer(503))
    async with aclosing(client.events(job["id"])) as events:
        found = [(await anext(events))["id"] for _ in range(5)]
    assert found == [1, 2, 3, 4, 5]


async def test_watch_that_is_left_leaves_no_task(client: AsyncClient, platform: Platform) -> None:
    job = platform.add_job(state="RUNNING")
    platform.script = [{}] * 9
    async with aclosing(client.watch(job["id"])) as watching:
        await anext(watching)
        await anext(watching)
        assert [one for one in asyncio.all_tasks() if one.get_name().startswith("events of")]
    assert not [one for one in asyncio.all_tasks() if one.get_name().startswith("events of")]


async def test_wait_says_that_the_job_goes_on(client: AsyncClient, platform: Platform) -> None:
    job = platform.add_job(state="RUNNING")
    platform.script = [{}] * 99
    with pytest.raises(TimeoutError, match=r"still RUNNING after 0\.3 s\. It goes on"):
        await client.wait(job["id"], timeout_s=0.3)


async def test_upload_and_download_leave_the_loop_free(client: AsyncClient, platform: Platform, tmp_path: Path) -> None:
    told: list[str] = []
    here = threading.get_ident()

    def progress(phase: str, _done: int, _total: int) -> None:
        assert threading.get_ident() == here
        told.append(phase)

    file = await client.upload(iter([b"x" * 100]), name="x.bin", progress=progress)
    assert file["size"] == 100
    job = platform.add_job(results=[platform.add_file("out.txt", b"result")])
    paths = await client.download_results(job["id"], tmp_path / "out", progress=progress)
    assert [path.read_bytes() for path in paths] == [b"result"]
    await asyncio.sleep(0)
    assert {"sending", "receiving"} <= set(told)


async def test_many_uploads_at_once(client: AsyncClient, tmp_path: Path) -> None:
    for number in range(6):
        (tmp_path / f"{number}.txt").write_text(str(number))
    found = await asyncio.gather(*(client.upload(tmp_path / f"{number}.txt") for number in range(6)))
    assert sorted(file["name"] for file in found) == [f"{number}.txt" for number in range(6)]


async def test_upload_that_is_canceled_has_stopped(client: AsyncClient, platform: Platform, tmp_path: Path) -> None:
    """Also one that hangs on a connection from which nothing comes."""
    hanging, released = threading.Event(), threading.Event()

    def hang(_handler: object) -> bool:
        hanging.set()
        return released.wait(30)

    platform.fail("POST /uploads", *[hang] * 9)
    platform.fail("POST /uploads:batch", *[hang] * 9)
    (tmp_path / "large.bin").write_bytes(b"x" * (20 << 20))
    uploading = asyncio.create_task(client.upload(tmp_path / "large.bin"))
    assert await asyncio.to_thread(hanging.wait, 10)
    began = time.monotonic()
    uploading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await uploading
    assert time.monotonic() - began < 3
    assert not [name for name in sending() if name.startswith(("part", "file"))]
    released.set()


async def test_download_that_is_canceled_has_stopped(client: AsyncClient, platform: Platform, tmp_path: Path) -> None:
    file = platform.add_file("slow.bin", b"y" * 100)
    job = platform.add_job(results=[file])
    half, released = threading.Event(), threading.Event()

    def half_of_it(handler: object) -> bool:
        handler.send_response(200)  # type: ignore[attr-defined]
        handler.send_header("Content-Length", "100")  # type: ignore[attr-defined]
        handler.end_headers()  # type: ignore[attr-defined]
        handler.wfile.write(b"y" * 50)  # type: ignore[attr-defined]
        half.set()
        return released.wait(30)

    platform.fail(f"GET /files/{file['id']}/content", half_of_it)
    downloading = asyncio.create_task(client.download_results(job["id"], tmp_path / "out"))
    assert await asyncio.to_thread(half.wait, 10)
    began = time.monotonic()
    downloading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await downloading
    assert time.monotonic() - began < 3
    asked = len(platform.calls("GET", f"/files/{file['id']}/content"))
    released.set()
    assert not (tmp_path / "out" / "slow.bin").exists()
    # The thread has ended, and with it every further try.
    assert (await client.me())["user"] == "ana"
    assert len(platform.calls("GET", f"/files/{file['id']}/content")) == asked
    (path,) = await client.download_results(job["id"], tmp_path / "out")
    assert path.read_bytes() == b"y" * 100


async def test_what_waits_for_a_thread_is_canceled_too(
    client: AsyncClient, platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api_app.client.threads.AT_ONCE", 1)
    begun, released = threading.Event(), threading.Event()

    def blocks() -> Iterator[bytes]:
        begun.set()
        released.wait(30)
        yield b"late"

    async with AsyncClient(client.login.url, TOKEN) as narrow:
        first = asyncio.create_task(narrow.upload(blocks(), name="late.bin"))
        assert await asyncio.to_thread(begun.wait, 10)
        second = asyncio.create_task(narrow.upload(iter([b"never"]), name="never.bin"))
        await asyncio.sleep(0.1)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        released.set()
        assert (await first)["name"] == "late.bin"
    assert [file["name"] for file in platform.files.values()] == ["late.bin"]


def test_connection_that_comes_about_after_the_stop_is_cut_too(url: str, platform: Platform) -> None:
    with Transport(Credentials(url, TOKEN, source=""), patience_s=3, notice=print) as transport:
        transport.stop()
        with pytest.raises(StoppedError):
            transport.json("GET", "me")
    assert platform.calls("GET", "/me") == []
