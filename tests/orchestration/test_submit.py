from __future__ import annotations

import threading
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection

from orchestration.errors import Forbidden, IdempotencyKeyReused, Invalid, NotFound
from orchestration.models import Event, File, Job, User, Workspace
from orchestration.services.jobs import Request, submit
from tests.factories import join, make_file, make_user, publish_pipeline
from tests.orchestration.play import TWO_STEPS

WITH_PARAMS = """\
pipeline: with-params
version: 1.0.0
title: Parameters
accepts: {types: [text/csv], max_size: 1KiB, max_files: 2}
params:
  type: object
  properties:
    rows: {type: integer, minimum: 1, maximum: 10, default: 3}
steps:
  - name: one
    command: ["true"]
"""


def ask(owner: User, *files: File, pipeline: str = "with-params", **params: Any) -> Request:
    return Request(pipeline=pipeline, inputs=tuple(f.pk for f in files), params=params)


@pytest.mark.django_db
def test_same_key_and_request_give_the_same_job(owner: User, lab: Workspace) -> None:
    publish_pipeline()
    request = ask(owner, make_file(lab, owner), pipeline="noop")
    first, created = submit(user=owner, request=request, idempotency_key="k1")
    second, again = submit(user=owner, request=request, idempotency_key="k1")
    assert (created, again) == (True, False)
    assert first.pk == second.pk
    assert Event.objects.filter(job_id=first.pk).count() == 1


@pytest.mark.django_db
def test_same_key_with_another_request_is_refused(owner: User, lab: Workspace) -> None:
    publish_pipeline()
    file, other = make_file(lab, owner), make_file(lab, owner, "b.csv")
    submit(user=owner, request=ask(owner, file, pipeline="noop"), idempotency_key="k1")
    with pytest.raises(IdempotencyKeyReused):
        submit(user=owner, request=ask(owner, other, pipeline="noop"), idempotency_key="k1")
    assert Job.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_hundred_submits_at_once_under_one_key_make_one_job(owner: User, lab: Workspace) -> None:
    publish_pipeline()
    request = ask(owner, make_file(lab, owner), pipeline="noop")
    seen: set[object] = set()
    gate = threading.Barrier(10)

    def work() -> None:
        gate.wait()
        for _ in range(10):
            seen.add(submit(user=owner, request=request, idempotency_key="k1")[0].pk)
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 1
    assert Job.objects.count() == 1


@pytest.mark.django_db
def test_defaults_are_filled_in_and_kept_with_the_job(owner: User, lab: Workspace) -> None:
    publish_pipeline(WITH_PARAMS)
    job, _ = submit(user=owner, request=ask(owner, make_file(lab, owner)))
    assert job.params == {"rows": 3}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"rows": 99}, "rows must be at most 10"),
        ({"row": 1}, 'did you mean "rows"'),
        ({"rows": "x"}, "rows must be"),
    ],
)
def test_bad_parameters_are_named(owner: User, lab: Workspace, params: dict[str, Any], says: str) -> None:
    publish_pipeline(WITH_PARAMS)
    with pytest.raises(Invalid, match=says):
        submit(user=owner, request=ask(owner, make_file(lab, owner), **params))
    assert not Job.objects.exists()


@pytest.mark.django_db
def test_file_of_a_type_or_size_the_pipeline_does_not_take_is_refused(owner: User, lab: Workspace) -> None:
    publish_pipeline(WITH_PARAMS)
    with pytest.raises(Invalid, match=r"pic\.png is image/png; this pipeline accepts text/csv"):
        submit(user=owner, request=ask(owner, make_file(lab, owner, "pic.png", b"\x89PNG\r\n\x1a\n" + b"0" * 50)))
    with pytest.raises(Invalid, match="accepts up to 1KiB a file"):
        submit(user=owner, request=ask(owner, make_file(lab, owner, data=b"a,b\n" * 500)))
    files = [make_file(lab, owner, f"{n}.csv") for n in range(3)]
    with pytest.raises(Invalid, match="takes 1 to 2 files; you gave 3"):
        submit(user=owner, request=ask(owner, *files))
    with pytest.raises(Invalid, match="takes 1 to 2 files; you gave 0"):
        submit(user=owner, request=ask(owner))
    assert not Job.objects.exists()


@pytest.mark.django_db
def test_file_of_another_workspace_is_as_good_as_missing(owner: User, stranger: User, lab: Workspace) -> None:
    publish_pipeline(TWO_STEPS)
    theirs = make_file(Workspace.objects.get(slug="elsewhere"), stranger)
    with pytest.raises(NotFound, match="no such file"):
        submit(user=owner, request=ask(owner, theirs, pipeline="two-steps"))
    missing = Request(pipeline="two-steps", inputs=(uuid4(),), params={})
    with pytest.raises(NotFound, match="no such file"):
        submit(user=owner, request=missing)


@pytest.mark.django_db
def test_unknown_pipeline_is_answered_with_the_known_ones(owner: User, lab: Workspace) -> None:
    publish_pipeline(TWO_STEPS)
    with pytest.raises(NotFound, match="two-steps"):
        submit(user=owner, request=ask(owner, make_file(lab, owner), pipeline="two-step"))


@pytest.mark.django_db
def test_viewer_may_not_submit(lab: Workspace, owner: User) -> None:
    viewer = make_user("vera")
    join(viewer, lab, "viewer")
    publish_pipeline()
    with pytest.raises(Forbidden):
        submit(user=viewer, request=ask(viewer, make_file(lab, owner), pipeline="noop"))
