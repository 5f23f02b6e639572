"""Attacks on parsers of multipart/form-data, at every kind of door, against the real process (SEC-060, F35)."""

from __future__ import annotations

import contextlib
import http.client
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from django.conf import settings

from orchestration.models import File, Upload
from tests.api.door import token_of
from tests.asgi.multipart_corpus import ATTACKS, Attack, B, ended, part
from tests.asgi.server import Server, cookie_of, serving
from tests.factories import join, make_user, make_workspace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestration.models import User

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

MOST_CPU_S: Final = 0.2
DOORS: Final = (
    "/login/",
    "/jobs/",
    "/admin/orchestration/workspace/add/",
    "/api/v1/uploads?name=a",
    "/api/v1/jobs",
    "/api/v1/tus",
)
REFUSED: Final = frozenset({400, 403, 404, 405, 412, 413, 415, 422, 431})
CUT: Final = 0
"""The server said no and hung up before the client had sent its head."""


@pytest.fixture(scope="module")
def server(django_db_setup: None, django_db_blocker: pytest.FixtureRequest) -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture
def user() -> User:
    user = make_user(is_staff=True, is_superuser=True)
    join(user, make_workspace())
    return user


def cpu_s(server: Server) -> float:
    spent = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(spent[11]) + int(spent[12])) / os.sysconf("SC_CLK_TCK")


def post(server: Server, path: str, body: bytes, headers: dict[str, str]) -> int:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)) as line:
        try:
            line.request("POST", path, body, {k: v.encode("latin-1") for k, v in headers.items()})
            return line.getresponse().status
        except (ConnectionError, http.client.BadStatusLine):
            return CUT


def known(server: Server, user: User) -> dict[str, str]:
    """Signed in by every means: whatever parses a body does it only for who has a cookie or a token."""
    csrf = server.get("/login/").headers["set-cookie"].partition(";")[0]
    return {"Cookie": f"{csrf}; {cookie_of(user, server)}", "Authorization": f"Bearer {token_of(user)}"}


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_attack_is_refused_and_costs_little(server: Server, user: User, attack: Attack) -> None:
    headers = known(server, user) | {"Content-Type": attack.content_type}
    body = attack.body()
    for door in DOORS:
        before = cpu_s(server)
        said = post(server, door, body, headers)
        cost = cpu_s(server) - before
        assert said in REFUSED | {CUT}, f"{door} said {said}"
        assert cost < MOST_CPU_S, f"{door} took {cost:.2f} s"
    assert not File.objects.exists()
    assert not Upload.objects.exists()
    assert server.get("/health/live").status_code == 200


@pytest.mark.parametrize("lie", [-1, 10, 1_000_000_000, "abc", "1e3", "+5", "0x10"])
def test_length_that_lies_is_refused(server: Server, user: User, lie: object) -> None:
    body = ended(part("a", b"x" * 1000))
    length = len(body) + lie if isinstance(lie, int) and lie < 0 else lie
    head = (
        f"POST /login/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data; boundary={B}\r\n"
        f"Cookie: {known(server, user)['Cookie']}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    )
    said = server.say(head.encode() + body)
    assert said[:12] in {b"HTTP/1.1 400", b"HTTP/1.1 403", b"HTTP/1.1 413"}, said[:200]


@pytest.mark.parametrize("value", ["text/plain; a*=nobody''x", "text/plain" + " " * 20_000])
def test_content_type_that_cannot_be_read_is_refused(server: Server, value: str) -> None:
    assert post(server, "/login/", b"x", {"Content-Type": value}) == 400
    assert "Invalid Content-Type" in str([event for event in server.events() if event["level"] == "info"])


def test_forms_are_bounded_by_number_too() -> None:
    assert settings.DATA_UPLOAD_MAX_NUMBER_FIELDS <= 2_000
    assert settings.DATA_UPLOAD_MAX_NUMBER_FILES <= 100
