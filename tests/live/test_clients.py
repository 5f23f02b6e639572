"""tests/clients/scenario.json, played by the Python clients against a started platform."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from api_app.client import AsyncClient, Client
from tests.clients.play import Play, play, play_awaited

if TYPE_CHECKING:
    from pathlib import Path

    from tests.live.platform import Platform

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
