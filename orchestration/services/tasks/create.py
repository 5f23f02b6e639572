"""A task of GA4GH's TES becomes a job of an internal pipeline. Only where, and by whom, an administrator allows it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings

from orchestration.errors import Forbidden, Invalid
from orchestration.services import jobs
from orchestration.services.access import find_workspace
from orchestration.services.receiving import Announced, receive
from orchestration.services.references import SCHEME, file_named
from orchestration.services.tasks.order import OFF, layer_of
from orchestration.services.tasks.places import places
from orchestration.services.tasks.versions import version_for
from orchestration.states import Role

if TYPE_CHECKING:
    from uuid import UUID

    from orchestration.models import Job, User, Workspace

MAX_BYTES: Final = 1 << 20
"""Of a task's text, without the contents of its inputs."""
WORKSPACE: Final = "workspace"
"""The tag that names a workspace; without it the oldest of the user's."""


def create_task(*, user: User, task: dict[str, Any]) -> Job:
    """`task` is a TES document, checked in its form. Raises Forbidden, Invalid and what `jobs.submit` does."""
    if not settings.TES_IMAGES:
        raise Forbidden(OFF)
    tags: dict[str, str] = task.get("tags", {})
    workspace = find_workspace(user=user, slug=tags.get(WORKSPACE, ""), role=Role(settings.TES_ROLE))
    for executor in task["executors"]:
        layer_of(executor["image"])
    places(task)
    _check_outputs(task.get("outputs", []))
    size = task.get("resources", {})
    version = version_for(vcpu=size.get("cpu_cores"), ram_gb=size.get("ram_gb"), disk_gb=size.get("disk_gb"))
    inputs = _inputs(user, workspace, task.get("inputs", []))
    text = json.dumps(task | {"inputs": inputs})
    if len(text) > MAX_BYTES:
        raise Invalid(f"A task has at most {MAX_BYTES:,} bytes without the contents of its inputs.")
    request = jobs.Request(
        pipeline=str(version),
        inputs=tuple(dict.fromkeys(file_named(one["file"]) for one in inputs)),
        params={"task": text},
        name=task.get("name", ""),
        labels=tags,
        workspace=workspace.slug,
    )
    return jobs.submit(user=user, request=request, version=version)[0]


def _check_outputs(outputs: list[dict[str, Any]]) -> None:
    for number, output in enumerate(outputs):
        if not output["url"].startswith(SCHEME):
            raise Invalid(
                f"outputs[{number}].url is {output['url'][:200]!r}: results are kept here and nowhere else. Write "
                f"`{SCHEME}` and anything; the task's log then says each result's address."
            )


def _inputs(user: User, workspace: Workspace, inputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each with its file. All references are looked at before a content is kept."""
    for number, one in enumerate(inputs):
        if not one.get("content") and not one.get("url"):
            raise Invalid(f"inputs[{number}] has neither `content` nor `url`.")
        if one.get("type") == "DIRECTORY":
            raise Invalid(f"inputs[{number}] is a DIRECTORY: name each of its files as an input of its own.")
    named = [None if one.get("content") else file_named(one["url"]) for one in inputs]
    return [
        {key: value for key, value in one.items() if key != "content"}
        | {"file": str(file or _kept(user, workspace, one)), "has_content": file is None}
        for one, file in zip(inputs, named, strict=True)
    ]


def _kept(user: User, workspace: Workspace, one: dict[str, Any]) -> UUID:
    """A content is an uploaded file like any other: looked at, counted, deleted when its date comes."""
    data = one["content"].encode()
    name = one["path"].rstrip("/").rpartition("/")[2]
    receiving = receive(user=user, announced=Announced(name=name, size=len(data)), workspace=workspace.slug)
    try:
        receiving.write(data)
        file_id = receiving.commit().file_id
    finally:
        # After a commit there is nothing left to discard.
        receiving.discard()
    if file_id is None:
        raise TypeError("a complete upload has a file")
    return file_id
