"""tests/clients/scenario.json, played by the Python clients against a started platform."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import pytest

from api_app.client import AsyncClient, Client
from api_app.client.contract import webhooks
from tests.clients.play import Play, play, play_awaited
from tests.live.platform import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.live.platform import Platform

PAGE: Final = ROOT / "docs" / "clients.md"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


def test_sync_client_does_what_every_client_does(platform: Platform, tmp_path: Path) -> None:
    playing = Play(tmp_path)
    with Client(platform.url, platform.token) as client:
        for number, step in enumerate(playing.steps):
            print(number, step)
            play(client, playing, step)


async def test_async_client_does_what_every_client_does(platform: Platform, tmp_path: Path) -> None:
    playing = Play(tmp_path)
    async with AsyncClient(platform.url, platform.token) as client:
        for number, step in enumerate(playing.steps):
            print(number, step)
            await play_awaited(client, playing, step)


def test_page_of_the_clients_does_what_it_says(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (example,) = re.findall(r"^```py\n(.*?)^```$", PAGE.read_text(), flags=re.DOTALL | re.MULTILINE)
    monkeypatch.setenv("ESTEIRA_URL", platform.url)
    monkeypatch.setenv("ESTEIRA_TOKEN", platform.token)
    with Client() as client:
        file = client.upload(iter([b"a,b\n1,2\n"]), name="two.csv")
        job = client.wait(client.submit("inspect", [file["id"]])["id"], timeout_s=120)
        client.ask(webhooks.create_webhook({"url": "https://hooks.example/esteira"}))
    known = {"job_id": job["id"], "file_id": file["id"]}
    exec(compile(example, str(PAGE), "exec"), known)  # noqa: S102 - our own page
    assert known["link"]["url"].startswith("http")  # type: ignore[index]
    assert known["check"]["pipeline"] == "inspect"  # type: ignore[index]
    assert "https://hooks.example/esteira True" in capsys.readouterr().out


async def test_bytes_that_lie_in_object_storage_go_there_and_come_from_there(direct: Platform, tmp_path: Path) -> None:
    playing = Play(tmp_path)
    async with AsyncClient(direct.url, direct.token) as client:
        for step in playing.steps:
            # A job over the files is there for their scan: before it, they cannot be fetched.
            if step["do"] in {"upload", "fetch"} or "unwanted" in {step.get("as"), step.get("job")}:
                await play_awaited(client, playing, step)
