"""Which calls count against the limits, and how much."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from api_app.auth import SCOPE
from api_app.rates import costs
from tests.api.test_access import ROUTES

if TYPE_CHECKING:
    from orchestration.models import User
    from tests.api.conftest import Clock
    from tests.api.door import Door, Visitor

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("only")]
EMPTY_BUNDLE = "/api/v1/uploads:put"


def test_dear_calls_cost_more(only: Any, ana: Visitor) -> None:
    only.RATE_TOKEN = 100
    ana("GET", "/me")
    left = 99
    for method, path, body, cost in (
        ("POST", "/uploads:complete", {"ids": [str(uuid4())]}, costs.MANY),
        ("POST", "/jobs:batch", {"jobs": [{"pipeline": "noop"}]}, costs.JOBS),
        ("POST", "/bulk:preview", {"action": "cancel", "ids": [str(uuid4())]}, costs.MANY),
        ("POST", "/files:zip", {"ids": [str(uuid4())]}, costs.MANY),
        ("GET", f"/jobs/{uuid4()}/results.zip", None, costs.MANY),
        ("GET", f"/jobs/{uuid4()}", None, 1),
    ):
        answer = ana(method, path, **({"json": body} if body else {}))
        left -= cost
        assert f"r={left};" in answer.headers["ratelimit"], path


def test_a_call_dearer_than_the_limit_passes_when_the_bucket_is_full(only: Any, ana: Visitor, clock: Clock) -> None:
    only.RATE_TOKEN = 3
    ana("GET", "/me")
    body = {"jobs": [{"pipeline": "noop"}]}
    refused = ana("POST", "/jobs:batch", json=body)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "20")
    clock.now += 20
    assert ana("POST", "/jobs:batch", json=body).status_code == 200
    assert ana("GET", "/me").status_code == 429


def test_which_calls_are_dear() -> None:
    dear = {name for method, path, name in ROUTES if costs.cost_of(method, path) > 1}
    assert dear == {
        "create_upload_batch",
        "sign_upload_batch",
        "complete_upload_batch",
        "submit_jobs",
        "preview_bulk",
        "begin_bulk",
        "download_files",
        "download_results",
        "replay_missed_deliveries",
    }


@pytest.mark.parametrize("route", [r for r in ROUTES if r[2] in SCOPE], ids=lambda r: f"{r[0]} {r[2]}")
def test_every_route_is_counted(only: Any, ana: Visitor, route: tuple[str, str, str]) -> None:
    ana("GET", "/me")
    only.RATE_TOKEN = 1
    assert ana("GET", "/me").status_code == 200
    method, path, _ = route
    assert ana(method, path.removeprefix("/api/v1"), json={}).status_code == 429


def test_what_is_not_counted(only: Any, door: Door, owner: User) -> None:
    only.RATE_TOKEN = only.RATE_USER = only.RATE_WORKSPACE = 1
    owner.set_password("right")
    owner.save(update_fields=["password"])
    basic = {"Authorization": "Basic " + base64.b64encode(b"ana:right").decode()}
    runner = {"Authorization": "Bearer an-attempts-token"}
    part = f"/api/v1/uploads/{uuid4()}/parts/1"
    for _ in range(3):
        for method, path, options in (
            ("GET", "/health/live", {}),
            ("GET", "/api/v1/signing-keys", {}),
            ("POST", "/api/runner/v1/heartbeat", {"headers": runner, "json": {}}),
            ("POST", "/api/v1/tokens", {"headers": basic, "json": {"name": "x"}}),
            ("PUT", part, {"content": b"x"}),
            ("POST", EMPTY_BUNDLE, {"content": b""}),
            ("GET", "/", {}),
        ):
            answer = door.send(method, path, **options)
            assert answer.status_code != 429, path
            assert "ratelimit" not in answer.headers, path


def test_zero_is_no_limit(ana: Visitor) -> None:
    answers = [ana("GET", "/me") for _ in range(20)]
    assert {answer.status_code for answer in answers} == {200}
    assert "ratelimit" not in answers[0].headers
    assert "ratelimit-policy" not in answers[0].headers


def test_ten_thousand_small_files_in_batches_stay_far_below_the_defaults(only: Any) -> None:
    from project import settings as defaults

    calls = 10_000 // 1_000 * 3 + 10  # begin, sign, complete, and a few questions
    for limit in (defaults.RATE_TOKEN, defaults.RATE_USER, defaults.RATE_WORKSPACE):
        assert calls * costs.MANY < limit / 10
