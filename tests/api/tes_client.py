"""A client that knows GA4GH's TES and nothing of ours, and an engine that takes its tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestration.execution.dispatch import dispatch
from orchestration.models import File, Job
from orchestration.services import runner
from tests.api.door import token_of
from tests.orchestration.play import holder, lease

if TYPE_CHECKING:
    import httpx

    from orchestration.models import Attempt, User
    from tests.api.door import Door

ECHO: dict[str, Any] = {"image": "debian:13", "command": ["echo", "hello"]}
TASK: dict[str, Any] = {"executors": [ECHO]}


class Tes:
    def __init__(self, door: Door, user: User) -> None:
        self.door, self.token = door, token_of(user)

    def __call__(self, method: str, path: str, **options: Any) -> httpx.Response:
        return self.door.send(method, f"/ga4gh/tes/v1{path}", self.token, **options)

    def json(self, method: str, path: str, status: int = 200, **options: Any) -> Any:
        answer = self(method, path, **options)
        assert answer.status_code == status, f"{answer.status_code}: {answer.text}"
        return answer.json()

    def create(self, **fields: Any) -> str:
        return str(self.json("POST", "/tasks", json=TASK | fields)["id"])

    def refused(self, status: int, **fields: Any) -> str:
        return str(self.json("POST", "/tasks", status, json=TASK | fields)["detail"])


def leased(task_id: str) -> Attempt:
    dispatch()
    attempt = lease()[0]
    assert str(attempt.job_id) == task_id
    return runner.begin(holder=holder(attempt))


def release(task_id: str) -> None:
    """Its texts have been looked at."""
    for file in Job.objects.get(pk=task_id).inputs.all():
        File.objects.filter(pk=file.pk).update(scan_state="clean")
