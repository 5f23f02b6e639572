from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from orchestration.errors import Invalid, NotFound
from orchestration.models import ApiToken, User
from orchestration.services.tokens import authenticate, is_well_formed, issue, revoke

pytestmark = pytest.mark.django_db


def test_token_opens_the_door_and_is_kept_only_as_a_hash(owner: User) -> None:
    row, token = issue(user=owner, name="laptop")
    assert re.fullmatch(r"est_[0-9A-Za-z]{49}", token)
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
    from orchestration.services.tokens import _checksum

    _, token = issue(user=owner, name="laptop")
    body = token[4:16] + "0" * 31
    forged = f"est_{body}{_checksum(body)}"
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
