"""Whose programs a step is given, and what stands around it: by where its attempt runs and by its image."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from orchestration.services.claims import claim
from orchestration.services.work_orders import work_order
from tests.orchestration.play import TWO_STEPS, lease
from tests.orchestration.test_claims import attempt_of, container, right_to, two_steps

if TYPE_CHECKING:
    from pytest_django import Settings

    from orchestration.models import Attempt, User, Workspace

pytestmark = pytest.mark.django_db

OWN_IMAGE = TWO_STEPS.replace(
    "    command: [convert]", f"    image: registry.example/convert@sha256:{'a' * 64}\n    command: [convert]"
)


def place(attempt: Attempt) -> tuple[Any, Any]:
    order = work_order(attempt)
    return order["python"], order["isolation"]


@pytest.mark.parametrize(("text", "python"), [(TWO_STEPS, sys.executable), (OWN_IMAGE, None)])
def test_container_is_the_isolation_and_our_python_only_in_our_image(
    owner: User, lab: Workspace, settings: Settings, text: str, python: str | None
) -> None:
    settings.STEP_ISOLATION = "bubblewrap"
    job = two_steps(owner, lab, items=1, text=text)
    given = claim(right=right_to(job), container=container())
    assert place(attempt_of(given)) == (python, "container")


def test_attempt_of_this_machine_s_engine_has_our_python_and_the_isolation_that_is_set(
    owner: User, lab: Workspace, settings: Settings
) -> None:
    settings.STEP_ISOLATION = "bubblewrap"
    two_steps(owner, lab, items=1)
    (attempt,) = lease()
    assert place(attempt) == (sys.executable, "bubblewrap")
