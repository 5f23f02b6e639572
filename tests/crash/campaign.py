"""What the campaigns over uploads share: somebody who sends, and a run for every point at which to be killed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import httpx

from orchestration.models import File, Upload
from tests.api.door import token_of
from tests.factories import join, make_user, make_workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from tests.asgi.server import Server


class Sender:
    def __init__(self, server: Server, token: str, **headers: str) -> None:
        always = {"Authorization": f"Bearer {token}"} | headers
        self._http = httpx.Client(base_url=server.url, headers=always, trust_env=False, timeout=30)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()


def at_each(points: Iterable[int], folder: Path, run: Callable[[int, Path, str], None]) -> None:
    """`run(point, folder, token)`, each with a home of its own and nothing in the tables."""
    user = make_user()
    join(user, make_workspace())
    for point in points:
        place = folder / str(point)
        (place / "home").mkdir(parents=True)
        run(point, place, token_of(user))
        File.objects.all().delete()
        Upload.objects.all().delete()
