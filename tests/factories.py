"""Rows for tests, made through the models: what a test does not name does not matter to it."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.utils import timezone

from orchestration.ids import new_id
from orchestration.media_types import detect
from orchestration.models import (
    File,
    Item,
    Job,
    JobInput,
    Membership,
    Pipeline,
    PipelineVersion,
    StepRun,
    User,
    Workspace,
)
from orchestration.services.pipelines import Source, publish
from orchestration.spec.model import PipelineSpec
from orchestration.spec.parse import parse_pipeline
from orchestration.states import JOB_FINISHED, FileKind, JobState, Role, ScanState
from orchestration.storage.registry import get_storage

if TYPE_CHECKING:
    from collections.abc import Sequence

PASSWORD = "correct horse battery"

NOOP = """\
pipeline: {name}
version: 1.0.0
title: Do nothing
steps:
  - name: nothing
    command: ["true"]
"""


def make_user(name: str = "ana", password: str = PASSWORD, **fields: Any) -> User:
    return User.objects.create_user(username=name, password=password, **fields)


def make_workspace(slug: str = "lab", **fields: Any) -> Workspace:
    return Workspace.objects.create(slug=slug, name=fields.pop("name", slug.title()), **fields)


def join(user: User, workspace: Workspace, role: str = Role.SUBMITTER) -> Membership:
    return Membership.objects.create(user=user, workspace=workspace, role=role)


def make_file(
    workspace: Workspace, user: User, name: str = "a.csv", data: bytes = b"a,b\n1,2\n", **fields: Any
) -> File:
    """A File with its bytes really in storage."""
    file_id = new_id()
    key = f"{workspace.pk}/{file_id.hex[-2:]}/{file_id}"
    incoming = get_storage("uploads").receive(key)
    incoming.write(data)
    incoming.commit()
    values: dict[str, Any] = {
        "kind": FileKind.UPLOAD,
        "name": name,
        "size": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "media_type": detect(name, data),
        "scan_state": ScanState.CLEAN,
        "storage": "uploads",
        "key": key,
        "created_by": user,
        "expires_at": timezone.now() + timedelta(days=365),
    }
    file = File.objects.create(pk=file_id, workspace=workspace, **(values | fields))
    file.refresh_from_db()
    return file


def publish_pipeline(yaml_text: str | None = None, name: str = "noop") -> PipelineVersion:
    text = yaml_text or NOOP.format(name=name)
    spec = parse_pipeline(text, file="pipeline.yaml")
    return publish(source=Source(text=text, spec=spec, bundle=b""))[0]


def make_job(
    user: User,
    workspace: Workspace,
    version: PipelineVersion | None = None,
    inputs: Sequence[File] = (),
    state: str = JobState.WAITING,
    **fields: Any,
) -> Job:
    """A job with its step runs, put into `state` as it stands: no moves, no events."""
    if version is None:
        found = Pipeline.objects.filter(name="noop").first()
        version = found.latest if found and found.latest else publish_pipeline()
    if state in JOB_FINISHED:
        fields.setdefault("finished_at", timezone.now())
    if state in {JobState.FAILED, JobState.TIMED_OUT}:
        fields.setdefault("failure_kind", "USER_CODE")
    if state != JobState.WAITING:
        fields.setdefault("queued_at", timezone.now())
    job = Job.objects.create(
        workspace=workspace,
        created_by=user,
        pipeline_version=version,
        state=state,
        input_count=len(inputs),
        **fields,
    )
    JobInput.objects.bulk_create(JobInput(job=job, file=f, position=n) for n, f in enumerate(inputs))
    for position, step in enumerate(PipelineSpec.from_json(version.spec).steps):
        total = len(inputs) if step.for_each else 1
        run = StepRun.objects.create(job=job, name=step.name, position=position, items_total=max(1, total))
        Item.objects.bulk_create(Item(step_run=run, index=index) for index in range(max(1, total)))
    job.refresh_from_db()
    return job
