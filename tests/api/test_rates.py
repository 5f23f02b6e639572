"""Requests beyond a limit are refused, for each token, user and workspace, and every answer says what is left."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from api_app.main import app
from api_app.rates import known, layer
from api_app.rates.buckets import WINDOW_S, Buckets, Share
from orchestration.models import ApiToken
from orchestration.services.tickets import issue_ticket
from orchestration.services.tokens import revoke
from tests.factories import join, make_user, make_workspace

if TYPE_CHECKING:
    from pytest_django import DjangoAssertNumQueries

    from orchestration.models import User, Workspace
    from tests.api.conftest import Clock
    from tests.api.door import Door, Visitor

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("only")]


def statuses(who: Visitor, times: int, path: str = "/me") -> list[int]:
    return [who("GET", path).status_code for _ in range(times)]


def test_a_token_may_ask_so_often_and_is_then_told_when_again(only: Any, ana: Visitor, clock: Clock) -> None:
    only.RATE_TOKEN = 6

    assert statuses(ana, 7) == [200] * 6 + [429]
    refused = ana("GET", "/me")
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.headers["retry-after"] == "10"
    assert refused.headers["ratelimit"] == '"token";r=0;t=10'
    assert refused.headers["ratelimit-policy"] == '"token";q=6;w=60'
    assert refused.json() == {
        "type": "https://iana.org/assignments/http-problem-types#quota-exceeded",
        "title": "Too Many Requests",
        "status": 429,
        "code": "rate_limited",
        "detail": "Too many requests with this token: 6 a minute are allowed. Try again in 10 s.",
        "violated-policies": ["token"],
    }

    clock.now += 9.9
    assert ana("GET", "/me").status_code == 429, "and the refused ones cost nothing"
    clock.now += 0.1
    assert statuses(ana, 2) == [200, 429]
    clock.now += 10 * WINDOW_S
    assert statuses(ana, 7) == [200] * 6 + [429], "no more than a full bucket is ever saved up"


def test_every_answer_says_what_is_left(only: Any, ana: Visitor, clock: Clock) -> None:
    only.RATE_TOKEN, only.RATE_USER, only.RATE_WORKSPACE = 60, 120, 600

    answer = ana("GET", "/me")
    assert answer.headers["ratelimit-policy"] == ('"token";q=60;w=60, "user";q=120;w=60, "workspace";q=600;w=60')
    assert answer.headers["ratelimit"] == '"token";r=59;t=59, "user";r=119;t=60, "workspace";r=599;t=60'
    missing = ana("GET", f"/jobs/{uuid4()}")
    assert missing.status_code == 404
    assert missing.headers["ratelimit"] == '"token";r=58;t=58, "user";r=118;t=59, "workspace";r=598;t=60'
    clock.now += 1
    assert ana("GET", "/me").headers["ratelimit"].startswith('"token";r=58;t=58, "user";r=119;')


def test_whoever_keeps_to_what_is_said_is_never_refused(only: Any, ana: Visitor, clock: Clock) -> None:
    only.RATE_TOKEN = 7
    answer = ana("GET", "/me")
    for _ in range(30):
        found = re.fullmatch(r'"token";r=([0-9]+);t=([0-9]+)', answer.headers["ratelimit"])
        assert found
        clock.now += int(found[2]) / max(1, int(found[1]))
        answer = ana("GET", "/me")
        assert answer.status_code == 200


def test_many_tokens_of_one_user_share_the_users_limit(only: Any, door: Door, owner: User, eva: Visitor) -> None:
    only.RATE_USER = 4
    first, second = door.as_(owner), door.as_(owner)

    assert statuses(first, 3) == [200] * 3
    assert statuses(second, 2) == [200, 429]
    refused = first("GET", "/me")
    assert refused.json()["detail"].startswith("Too many requests by this user: 4 a minute are allowed.")
    assert statuses(eva, 4) == [200] * 4, "somebody else goes on"


def test_the_members_of_a_workspace_share_its_limit(only: Any, ana: Visitor, bruno: Visitor, eva: Visitor) -> None:
    only.RATE_WORKSPACE = 4

    assert statuses(ana, 3) == [200] * 3
    assert statuses(bruno, 2) == [200, 429]
    assert "in this workspace" in ana("GET", "/me").json()["detail"]
    assert statuses(eva, 4) == [200] * 4


def test_a_request_counts_for_the_workspace_that_it_names(only: Any, door: Door, owner: User) -> None:
    join(owner, make_workspace("second"))
    ana = door.as_(owner)
    ana("GET", "/me")
    only.RATE_WORKSPACE = 2
    known.known.clear()

    assert statuses(ana, 3, "/jobs?workspace=second") == [200, 200, 429]
    assert ana("GET", "/workspaces/second/usage").status_code == 429
    assert statuses(ana, 2, "/workspaces/lab/usage") == [200, 200]
    assert ana("GET", "/jobs").status_code == 429, "none named: the oldest, which is lab"


def test_nobody_uses_up_the_limit_of_a_workspace_of_others(only: Any, ana: Visitor, eva: Visitor) -> None:
    only.RATE_WORKSPACE = 3
    statuses(eva, 9, "/jobs?workspace=lab")
    statuses(eva, 9, "/workspaces/lab/usage")

    assert statuses(ana, 3) == [200] * 3


def test_refusing_asks_the_database_nothing(
    only: Any, ana: Visitor, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    only.RATE_TOKEN = only.RATE_WORKSPACE = 1
    ana("GET", "/me")
    with django_assert_num_queries(0):
        assert ana("GET", "/me").status_code == 429
        assert ana("POST", "/jobs", json={"pipeline": "noop"}).status_code == 429


def test_a_new_membership_counts_within_a_minute(only: Any, door: Door, owner: User, clock: Clock) -> None:
    only.RATE_WORKSPACE = 5
    ana = door.as_(owner)
    ana("GET", "/me")
    join(owner, make_workspace("second"))
    clock.now += 120
    ana("GET", "/me")
    statuses(ana, 4, "/jobs?workspace=second")

    assert "r=0;" in ana("GET", "/jobs?workspace=second").headers["ratelimit"]
    assert ana("GET", "/me").status_code == 200


def test_a_token_that_is_not_valid_uses_up_nothing(only: Any, door: Door, owner: User) -> None:
    only.RATE_USER = 5
    leaked, ana = door.as_(owner), door.as_(owner)
    assert leaked("GET", "/me").status_code == 200
    revoke(user=owner, token_id=ApiToken.objects.order_by("id").filter(user=owner).first().pk)  # type: ignore[union-attr]

    answers = [leaked("GET", "/me") for _ in range(20)]
    assert {answer.status_code for answer in answers} == {401}
    assert "ratelimit" not in answers[0].headers
    assert statuses(ana, 3) == [200] * 3
    assert len(known.known) == 1


def test_the_ticket_of_a_page_counts_for_its_user_and_workspace(
    only: Any, door: Door, owner: User, lab: Workspace
) -> None:
    only.RATE_USER, only.RATE_WORKSPACE = 3, 9
    headers = {"Authorization": f"Ticket {issue_ticket(owner, lab)}"}

    asked = [door.send("GET", "/api/v1/uploads/config", headers=headers) for _ in range(4)]

    assert [answer.status_code for answer in asked] == [200, 200, 200, 429]
    assert asked[0].headers["ratelimit"] == '"user";r=2;t=40, "workspace";r=8;t=54'
    assert door.as_(owner)("GET", "/me").status_code == 200, "a token that is met for the first time"


def test_memory_is_bounded_and_full_buckets_are_forgotten() -> None:
    buckets = Buckets(most=100)
    for number in range(1_000):
        buckets.take([Share("token", number, 10)], 1, now=number / 1_000)
    assert len(buckets) == 100
    assert buckets.left(Share("token", 999, 10), now=1) == 9
    for number in range(200):
        buckets.take([Share("token", "one", 10)], 1, now=2 * WINDOW_S + number * WINDOW_S)
    assert len(buckets) == 1

    callers = known.Known(most=10)
    user = make_user("zoe")
    for number in range(50):
        callers.learn("bearer", str(number), user)
    assert len(callers) == 10


def test_no_token_lies_in_memory(ana: Visitor) -> None:
    ana("GET", "/me")
    assert len(known.known) == 1
    assert ana.token not in repr(known.known._callers)
    assert ana.token not in repr(layer.buckets._empty_at)


def test_the_layer_stands_behind_the_gate_and_before_what_reads_bodies() -> None:
    names = [middleware.cls.__name__ for middleware in app.user_middleware]  # type: ignore[attr-defined]
    assert names == ["Gate", "Deprecation", "Rates", "Nesting", "Idempotency"]
