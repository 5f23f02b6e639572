"""Job definitions are registered once, however many need them at once and whoever dies over it."""

from __future__ import annotations

import itertools
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from orchestration.engines.step_functions import definitions as registering
from orchestration.engines.step_functions.definition import register_request
from orchestration.engines.step_functions.definitions import CLAIM_LASTS, Definitions
from orchestration.errors import EngineRejected, EngineUnavailable
from orchestration.models import BatchJobDefinition
from orchestration.spec.model import Localised, Resources, StepSpec
from tests.engines.wire import Fate

if TYPE_CHECKING:
    from datetime import timedelta

    from tests.engines.cloud import Cloud

pytestmark = pytest.mark.django_db

CONVERT: Final = StepSpec(name="convert", title=Localised({}), command=("run",))
REPORT: Final = StepSpec(name="report", title=Localised({}), command=("run",))


def of(cloud: Cloud) -> Definitions:
    return Definitions(cloud.cell, cloud.engine.clients)


def arns(cloud: Cloud, *steps: StepSpec, version: str = "1.0.0") -> dict[str, str]:
    return of(cloud).arns(steps or (CONVERT,), pipeline="tabular", version=version)


def revisions(cloud: Cloud) -> list[str]:
    return sorted(one["jobDefinitionArn"].partition("/")[2].rpartition("-")[2] for one in cloud.definitions())


def name_of(cloud: Cloud) -> str:
    request = register_request(CONVERT, pipeline="tabular", version="1.0.0", cell=cloud.cell)
    return str(request["jobDefinitionName"])


def claim(cloud: Cloud, age: timedelta) -> BatchJobDefinition:
    """Somebody else's, so long ago."""
    return BatchJobDefinition.objects.create(cell=cloud.cell.name, name=name_of(cloud), claimed_at=timezone.now() - age)


def test_steps_are_registered_with_what_was_built_for_them(cloud: Cloud) -> None:
    found = arns(cloud, CONVERT, REPORT)

    there = {one["jobDefinitionArn"]: one for one in cloud.definitions()}
    assert set(found.values()) == there.keys()
    one = there[found["convert"]]
    assert found["convert"].endswith(f":job-definition/{name_of(cloud)}:1")
    assert one["containerProperties"]["readonlyRootFilesystem"] is True
    assert one["tags"]["esteira:step"] == "convert"
    assert len(one["retryStrategy"]["evaluateOnExit"]) == 5


def test_what_is_registered_is_remembered(cloud: Cloud) -> None:
    first = arns(cloud)
    asked = len(cloud.calls.made)

    assert arns(cloud) == arns(cloud) == first
    assert len(cloud.calls.made) == asked
    row = BatchJobDefinition.objects.get()
    assert (row.arn, row.claimed_at, row.cell) == (first["convert"], None, "default")


def test_next_version_leaves_the_revisions_of_the_last_usable(cloud: Cloud) -> None:
    old = arns(cloud)
    new = arns(cloud, version="1.1.0")

    assert old != new
    assert {one["status"] for one in cloud.definitions()} == {"ACTIVE"}
    assert arns(cloud) == old
    assert {call.operation for call in cloud.calls.made} == {"DescribeJobDefinitions", "RegisterJobDefinition"}


def test_cells_remember_for_themselves(cloud: Cloud) -> None:
    arns(cloud)
    other = Definitions(replace(cloud.cell, name="second"), cloud.engine.clients)
    other.arns([CONVERT], pipeline="tabular", version="1.0.0")

    assert BatchJobDefinition.objects.count() == 2
    # It is the same account here, so that the other cell finds what is there.
    assert len(cloud.definitions()) == 1


def test_one_that_was_registered_and_not_written_down_is_taken_over(cloud: Cloud) -> None:
    first = arns(cloud)
    BatchJobDefinition.objects.all().delete()

    assert arns(cloud) == first
    assert cloud.calls.count("RegisterJobDefinition") == 1


def test_first_of_several_revisions_is_the_one(cloud: Cloud) -> None:
    request = register_request(CONVERT, pipeline="tabular", version="1.0.0", cell=cloud.cell)
    client = cloud.client("batch")
    made = [client.register_job_definition(**request)["jobDefinitionArn"] for _ in range(12)]

    assert arns(cloud) == {"convert": made[0]}


def test_whoever_comes_while_it_is_registered_comes_again_later(cloud: Cloud) -> None:
    row = claim(cloud, CLAIM_LASTS / 2)

    with pytest.raises(EngineUnavailable, match="is being registered"):
        arns(cloud)
    assert cloud.calls.made == []

    BatchJobDefinition.objects.filter(pk=row.pk).update(arn="arn:7", claimed_at=None)
    assert arns(cloud) == {"convert": "arn:7"}


def test_claim_of_somebody_who_died_is_taken_over(cloud: Cloud) -> None:
    claim(cloud, CLAIM_LASTS * 2)

    assert arns(cloud)["convert"].endswith(":1")


def test_claimant_who_comes_too_late_takes_what_the_other_wrote_down(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    def point(name: str) -> None:
        if name == "definition.registered":
            BatchJobDefinition.objects.update(arn="arn:of-the-other", claimed_at=None)

    monkeypatch.setattr(registering, "point", point)

    assert arns(cloud) == {"convert": "arn:of-the-other"}
    assert BatchJobDefinition.objects.get().arn == "arn:of-the-other"


@pytest.mark.parametrize("operation", ["DescribeJobDefinitions", "RegisterJobDefinition"])
def test_throttled_registration_is_later_and_lets_go_of_its_claim(cloud: Cloud, operation: str) -> None:
    cloud.wire(operation, [Fate.THROTTLED] * 3)

    with pytest.raises(EngineUnavailable) as caught:
        arns(cloud)

    assert caught.value.details == {"reason": "ThrottlingException"}
    assert arns(cloud)["convert"].endswith(":1")


def test_refused_registration_is_never_and_lets_go_of_its_claim(cloud: Cloud) -> None:
    cloud.wire("RegisterJobDefinition", [Fate.INVALID])

    with pytest.raises(EngineRejected):
        arns(cloud)
    assert arns(cloud)["convert"].endswith(":1")


def test_step_that_no_queue_can_run_is_refused_before_anything_is_registered(cloud: Cloud) -> None:
    cell = replace(cloud.cell, gpu_queue="")
    gpu = replace(REPORT, resources=Resources(gpu=1))

    with pytest.raises(EngineRejected, match="needs a GPU"):
        Definitions(cell, cloud.engine.clients).arns([CONVERT, gpu], pipeline="p", version="1.0.0")
    assert cloud.calls.made == []


def test_lost_reply_leaves_one_that_is_remembered(cloud: Cloud) -> None:
    """Batch takes no token with a registration: botocore's second try makes a second revision of the same."""
    cloud.wire("RegisterJobDefinition", [Fate.LOST_REPLY])

    found = arns(cloud)

    assert found == arns(cloud)
    assert [one["revision"] for one in cloud.definitions()] == [1, 2]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("seed", range(3))
def test_many_at_once_register_each_step_once(cloud: Cloud, seed: int) -> None:
    dice = random.Random(seed)
    cloud.wire("RegisterJobDefinition", (dice.choice([Fate.THROUGH, Fate.THROTTLED]) for _ in range(60)))
    together = threading.Barrier(8)

    def register(_: int) -> dict[str, str]:
        together.wait()
        try:
            for _again in range(500):
                with suppress(EngineUnavailable):
                    return arns(cloud, CONVERT, REPORT)
                time.sleep(0.005)
            raise AssertionError("never registered")
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(register, range(8)))

    assert all(one == found[0] for one in found)
    assert len(cloud.definitions()) == BatchJobDefinition.objects.count() == 2


@pytest.mark.parametrize(("arn", "is_claimed"), list(itertools.product(["", "arn:1"], [False, True])))
def test_row_is_either_claimed_or_registered(arn: str, is_claimed: bool) -> None:  # noqa: FBT001  a parameter
    def make() -> None:
        BatchJobDefinition.objects.create(
            cell="c", name="n", arn=arn, claimed_at=timezone.now() if is_claimed else None
        )

    if arn and is_claimed:
        with pytest.raises(IntegrityError), transaction.atomic():
            make()
    else:
        make()
    assert BatchJobDefinition.objects.count() == (not (arn and is_claimed))
