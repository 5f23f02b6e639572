from __future__ import annotations

import hashlib
import re
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from orchestration.errors import Invalid, NotFound
from orchestration.models import ApiToken, User
from orchestration.services.token_format import checksum, is_well_formed
from orchestration.services.tokens import authenticate, issue, revoke

pytestmark = pytest.mark.django_db


def test_token_opens_the_door_and_is_kept_only_as_a_hash(owner: User) -> None:
    row, token = issue(user=owner, name="laptop")
    assert re.fullmatch(r"est_pat_[0-9A-Za-z]{49}", token)
    found = authenticate(token=token)
    assert found is not None
    assert found.user == owner
    with connection.cursor() as cursor:
        cursor.execute("SELECT t::text FROM orchestration_apitoken t WHERE id = %s", [row.pk])
        assert token not in str(cursor.fetchone())


def test_mistyped_token_is_refused_by_its_checksum(owner: User) -> None:
    _, token = issue(user=owner, name="laptop")
    wrong = token[:10] + ("a" if token[10] != "a" else "b") + token[11:]
    assert is_well_formed(token)
    assert not is_well_formed(wrong)
    assert authenticate(token=wrong) is None


def test_right_public_part_with_another_secret_is_refused(owner: User) -> None:
    _, token = issue(user=owner, name="laptop")
    body = token[8:20] + "0" * 31
    forged = f"est_pat_{body}{checksum('est_pat_', body)}"
    assert is_well_formed(forged)
    assert authenticate(token=forged) is None


def test_expired_revoked_and_disabled_are_refused(owner: User, stranger: User) -> None:
    row, token = issue(user=owner, name="a")
    with pytest.raises(NotFound):
        revoke(user=stranger, token_id=row.pk)
    assert authenticate(token=token)
    revoke(user=owner, token_id=row.pk)
    assert authenticate(token=token) is None

    row, token = issue(user=owner, name="b")
    ApiToken.objects.filter(pk=row.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert authenticate(token=token) is None

    _, token = issue(user=owner, name="c")
    User.objects.filter(pk=owner.pk).update(is_active=False)
    assert authenticate(token=token) is None


def test_use_is_noted_at_most_once_a_minute(owner: User) -> None:
    _, token = issue(user=owner, name="laptop")
    authenticate(token=token)
    first = ApiToken.objects.get().last_used_at
    authenticate(token=token)
    assert ApiToken.objects.get().last_used_at == first is not None


@pytest.mark.parametrize("wrong", [{"name": " "}, {"scopes": ("everything",)}, {"days": 0}, {"days": 367}])
def test_bad_request_for_a_token_is_refused(owner: User, wrong: dict[str, object]) -> None:
    with pytest.raises(Invalid):
        issue(user=owner, **({"name": "x"} | wrong))  # type: ignore[arg-type]


def test_kind_and_every_character_are_under_the_checksum(owner: User) -> None:
    _, token = issue(user=owner, name="laptop")
    assert not is_well_formed(token.replace("est_pat_", "est_svc_"))
    for place, character in enumerate(token):
        other = "a" if character != "a" else "b"
        assert not is_well_formed(token[:place] + other + token[place + 1 :]), place
    for wrong in (token[:-1], f"{token}a", "", "est_", str(uuid4()), f"{token}\n"):
        assert not is_well_formed(wrong)


def test_token_made_before_there_were_kinds_still_works(owner: User) -> None:
    row, _ = issue(user=owner, name="old")
    body = "0123456789ab" + "x" * 31
    old = f"est_{body}{checksum('est_', body)}"
    # As that version wrote it, byte for byte.
    assert old == "est_0123456789abxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx21mGXA"
    ApiToken.objects.filter(pk=row.pk).update(
        kind="", public_id=body[:12], secret_hash=hashlib.sha256(old.encode()).digest()
    )
    found = authenticate(token=old)
    assert found is not None
    assert found.start == "est_0123456789ab"


def test_last_use_is_written_once_a_minute_with_its_address(owner: User) -> None:
    row, token = issue(user=owner, name="laptop")
    with CaptureQueriesContext(connection) as seen:
        for _ in range(20):
            authenticate(token=token, address="203.0.113.9")
    assert sum(query["sql"].startswith("UPDATE") for query in seen) == 1
    row.refresh_from_db()
    assert row.last_used_ip == "203.0.113.9"
    ApiToken.objects.filter(pk=row.pk).update(last_used_at=timezone.now() - timedelta(seconds=61))
    with CaptureQueriesContext(connection) as seen:
        for _ in range(20):
            authenticate(token=token, address="2001:db8::1")
    assert sum(query["sql"].startswith("UPDATE") for query in seen) == 1
    row.refresh_from_db()
    assert row.last_used_ip == "2001:db8::1"


@pytest.mark.parametrize(("address", "kept"), [("", None), ("testclient", None), ("fe80::1%eth0", "fe80::1")])
def test_address_that_is_none_does_not_stand_in_the_way(owner: User, address: str, kept: str | None) -> None:
    _, token = issue(user=owner, name="laptop")
    assert authenticate(token=token, address=address)
    assert ApiToken.objects.get().last_used_ip == kept
