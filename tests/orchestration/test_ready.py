"""Queries that are written into SQL once give what they would give if they were written anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from orchestration.errors import NotFound
from orchestration.models import Pipeline, User, Workspace
from orchestration.models.ready import Ready
from orchestration.services.access import find_workspace
from orchestration.services.pipelines import find_version, spec_of
from tests.factories import join, make_user, make_workspace, publish_pipeline

if TYPE_CHECKING:
    from django.db.models import QuerySet

pytestmark = pytest.mark.django_db


def seen(user: User) -> list[str]:
    found = []
    for slug in ("", "lab", "other"):
        try:
            found.append(find_workspace(user=user, slug=slug).slug)
        except NotFound:
            found.append("-")
    return found


def test_each_kind_of_user_sees_her_own(owner: User, lab: Workspace) -> None:
    other = make_workspace("other")
    bob, root = make_user("bob"), make_user("root", is_superuser=True)
    join(bob, lab)
    join(bob, other)
    assert (seen(owner), seen(bob), seen(root)) == (
        ["lab", "lab", "-"],
        ["lab", "lab", "other"],
        ["lab", "lab", "other"],
    )
    bob.bound_to = root.bound_to = other.pk
    assert (seen(bob), seen(root)) == (["other", "-", "other"],) * 2
    bob.bound_to = lab.pk
    assert seen(bob) == ["lab", "lab", "-"], "the next one of her kind has values of her own"


def test_pipeline_of_one_workspace_is_found_from_there(owner: User, lab: Workspace) -> None:
    version = publish_pipeline()
    stranger = make_user("bea")
    Pipeline.objects.update(workspace=lab)
    found = find_version(user=owner, reference="noop")
    assert (found, found.pipeline.name, found.digest, found.bundle_sha256) == (version, "noop", version.digest, "")
    assert found.spec == version.spec, "what was left out is read when it is asked for"
    assert spec_of(found.pk).name == "noop"
    with pytest.raises(NotFound):
        find_version(user=stranger, reference="noop")


def test_question_that_looks_at_more_of_its_user_cannot_be_made_ready(owner: User) -> None:
    def staff_only(user: User) -> QuerySet[Workspace]:
        return Workspace.objects.all() if user.is_staff else Workspace.objects.none()

    with pytest.raises(User.DoesNotExist):
        Ready(staff_only)(owner)


def test_value_that_the_question_passes_over_is_noticed() -> None:
    with pytest.raises(ValueError, match="does not ask for slug"):
        Ready(lambda slug: Workspace.objects.filter(name=slug.title()), slug=str)(slug="lab")
