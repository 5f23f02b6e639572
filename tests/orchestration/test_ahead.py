"""Rows that are read ahead are those that would be asked for one by one, and decide nothing by themselves."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from orchestration.models import ApiToken, File, Pipeline
from orchestration.services import ahead
from orchestration.services.access import find_workspace
from orchestration.services.ahead import MOST_FILES, ahead_of_submit, learn_kind
from orchestration.services.fitting import files_of
from orchestration.services.jobs import Request
from orchestration.services.pipelines import find_version
from orchestration.services.tokens import authenticate, issue
from tests.factories import join, make_file, make_user, make_workspace, publish_pipeline

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_django import DjangoAssertNumQueries

    from orchestration.models import User, Workspace
    from orchestration.models.joined import Asked

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nobody_known() -> Iterator[None]:
    ahead._kinds.clear()
    yield
    ahead._kinds.clear()


def wanted(owner: User, lab: Workspace) -> Request:
    publish_pipeline()
    return Request("noop", (make_file(lab, owner).pk, make_file(lab, owner).pk), {})


def asked(token: str, request: Request) -> Asked:
    found = ahead_of_submit(token, request)
    assert found is not None
    return found


def looked_at(token: str, request: Request) -> tuple[object, ...]:
    found = authenticate(token=token)
    assert found is not None
    learn_kind(token, found.user)
    place = find_workspace(user=found.user, slug=request.workspace)
    version = find_version(user=found.user, reference=request.pipeline)
    return found, found.user, place, version, version.pipeline, files_of(place, request.inputs)


@pytest.mark.parametrize("slug", ["", "lab"])
def test_one_query_finds_what_would_take_four(
    slug: str, owner: User, lab: Workspace, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    request = replace(wanted(owner, lab), workspace=slug)
    _, token = issue(user=owner, name="here")
    ApiToken.objects.update(last_used_at="2999-01-01T00:00Z")
    with django_assert_num_queries(4):
        alone = looked_at(token, request)
    with django_assert_num_queries(1), asked(token, request).ahead():
        assert looked_at(token, request) == alone


def test_kind_of_user_that_was_not_expected_is_asked_about_as_ever(
    owner: User, lab: Workspace, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    """The place of a superuser, and of a token for one workspace, is found by another query."""
    request = wanted(owner, lab)
    other = make_workspace("other")
    join(owner, other)
    _, token = issue(user=owner, name="for one", workspace="other")
    ApiToken.objects.update(last_used_at="2999-01-01T00:00Z")
    with django_assert_num_queries(4), asked(token, request).ahead():
        assert looked_at(token, request)[2] == other
    with django_assert_num_queries(1), asked(token, request).ahead():
        assert looked_at(token, request)[2] == other
    owner.is_superuser = True
    owner.save(update_fields=["is_superuser"])
    with asked(token, request).ahead():
        assert looked_at(token, request)[2] == other


def test_nothing_is_found_of_what_others_have(owner: User, lab: Workspace) -> None:
    request = wanted(owner, lab)
    bea, other = make_user("bea"), make_workspace("others")
    join(bea, other)
    Pipeline.objects.update(workspace=lab)
    _, token = issue(user=bea, name="hers")
    with asked(token, request).ahead():
        found = authenticate(token=token)
        assert found is not None
        place = find_workspace(user=found.user)
        assert (place, files_of(place, request.inputs)) == (other, {})


@pytest.mark.parametrize("is_mistaken", [True, False])
def test_secret_and_state_of_a_token_are_looked_at_as_ever(*, is_mistaken: bool, owner: User, lab: Workspace) -> None:
    request = wanted(owner, lab)
    row, token = issue(user=owner, name="here")
    if is_mistaken:
        ApiToken.objects.filter(pk=row.pk).update(secret_hash=b"another")
    else:
        ApiToken.objects.filter(pk=row.pk).update(revoked_at="2026-01-01T00:00Z")
    with asked(token, request).ahead():
        assert authenticate(token=token) is None


def test_what_is_asked_twice_is_read_twice(owner: User, lab: Workspace) -> None:
    """So that nobody works with a row that has changed since."""
    request = wanted(owner, lab)
    _, token = issue(user=owner, name="here")
    with asked(token, request).ahead():
        looked_at(token, request)
        File.objects.filter(pk=request.inputs[0]).update(deleted_at="2026-01-01T00:00Z")
        assert list(files_of(lab, request.inputs)) == [request.inputs[1]]


def test_many_files_are_not_read_ahead(
    owner: User, lab: Workspace, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    """Each of them would bring the rows of all the rest along."""
    _, token = issue(user=owner, name="here")
    many = Request("noop", tuple(uuid4() for _ in range(MOST_FILES + 1)), {})
    with django_assert_num_queries(0):
        assert ahead_of_submit(token, many) is None
