"""The local engine answers the port's questions in the same words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from orchestration.engines.base import Report
from orchestration.engines.local.adapter import LocalEngine
from orchestration.execution.dispatch import dispatch
from tests.engines.cloud import spec_of
from tests.factories import make_file
from tests.orchestration.play import lease, run, submitted

if TYPE_CHECKING:
    from pytest_django import Settings

    from orchestration.models import User, Workspace


@pytest.mark.django_db
def test_stop_is_true_once_nothing_of_the_run_is_open(owner: User, lab: Workspace) -> None:
    job = submitted(owner, files=(make_file(lab, owner),))
    dispatch()
    (attempt,) = lease()

    assert not LocalEngine().stop(spec_of(job), reason="r")
    run(attempt, "failed")
    assert LocalEngine().stop(spec_of(job), reason="r")


@pytest.mark.django_db
def test_report_knows_no_pieces(owner: User, lab: Workspace) -> None:
    job = submitted(owner, files=(make_file(lab, owner),))
    dispatch()
    lease()

    assert LocalEngine().report([spec_of(job, "one")], looks=9) == Report()


def test_capacity_is_what_the_settings_say(settings: Settings) -> None:
    settings.LOCAL_VCPUS, settings.LOCAL_MEMORY_MIB = 3, 64

    capacity = LocalEngine().capacity()
    assert (capacity.vcpus, capacity.memory_bytes, capacity.closed) == (3.0, 64 << 20, "")
