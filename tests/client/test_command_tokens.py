import io
import json

import pytest

from tests.client.conftest import Command
from tests.client.fake_server import Platform
from tests.client.fake_shapes import Json

FIRST, SECOND = "01a226e6-0000-7000-8000-000000aaaaaa", "01a226e6-0000-7000-8000-000000bbbbbb"


def row(token_id: str, **changes: object) -> Json:
    made: Json = {
        "id": token_id,
        "name": "nightly",
        "start": "est_pat_abc",
        "scopes": ["read", "run"],
        "workspace": None,
        "created_at": "2026-01-01T00:00:00Z",
        "expires_at": "2999-01-01T00:00:00Z",
        "last_used_at": None,
        "last_used_ip": None,
        "replaced_by": None,
    }
    return made | changes


@pytest.fixture(autouse=True)
def two(platform: Platform) -> None:
    used = {"last_used_at": "2026-01-02T00:00:00Z", "last_used_ip": "203.0.113.9", "workspace": "lab"}
    platform.token_rows = [
        row(FIRST, replaced_by=SECOND, **used),
        row(SECOND, name="old", expires_at="2020-01-01T00:00:00Z"),
    ]


def test_tokens_are_listed_with_where_and_when(command: Command) -> None:
    lines = command("tokens", "list").out.splitlines()

    assert "lab" in lines[1]
    assert "203.0.113.9" in lines[1]
    assert "2999-01-01 00:00 replaced" in lines[1]
    assert "anywhere" in lines[2]
    assert "never" in lines[2]
    assert "ended" in lines[2]


def test_tokens_as_json_are_as_the_platform_says(command: Command, platform: Platform) -> None:
    assert json.loads(command("tokens", "list", "--json").out) == platform.token_rows


def test_rotated_token_alone_is_on_stdout(command: Command, platform: Platform) -> None:
    done = command("tokens", "rotate", "aaaaaa", "--overlap", "48")

    assert (done.code, done.out) == (0, "est_next\n")
    assert "works for 48 hours more" in done.err
    assert platform.bodies == [{"rotate": FIRST, "overlap_hours": 48}]


@pytest.mark.parametrize(
    ("given", "says", "code"),
    [
        ("01a226e6", "2 of your tokens", 2),
        ("cccccc", "You have no token cccccc", 6),
        ("aaa", "You have no token aaa", 6),
    ],
)
def test_token_that_is_not_one_is_told_and_nothing_done(
    command: Command, platform: Platform, given: str, says: str, code: int
) -> None:
    done = command("tokens", "rotate", given)

    assert done.code == code
    assert says in done.err
    assert platform.bodies == []


def test_overlap_of_more_than_a_week_is_refused_here(command: Command, platform: Platform) -> None:
    assert command("tokens", "rotate", "aaaaaa", "--overlap", "169").code == 2
    assert platform.requests == []


def test_created_token_is_on_stdout(command: Command, platform: Platform) -> None:
    done = command("tokens", "create", "laptop", "--scope", "read", "--workspace", "lab", "--days", "7")

    assert done.out == "est_fresh\n"
    assert "shown this once" in done.err


def test_revoked_token_is_gone(command: Command, platform: Platform) -> None:
    platform.tokens.append("est_fresh")

    assert "old is revoked" in command("tokens", "revoke", SECOND).out
    assert platform.calls("DELETE", f"/tokens/{SECOND}")


def test_found_token_is_read_from_stdin(command: Command, platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("est_pat_found\n"))

    assert "refused from now on" in command("tokens", "leaked").out
    assert platform.bodies == [{"token": "est_pat_found"}]


def test_ended_tokens_as_json(command: Command, platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    platform.tokens.append("est_fresh")
    monkeypatch.setattr("sys.stdin", io.StringIO("est_pat_found\n"))

    assert json.loads(command("tokens", "leaked", "--json").out) == {"refused": True}
    assert json.loads(command("tokens", "revoke", SECOND, "--json").out) == {"revoked": SECOND}
