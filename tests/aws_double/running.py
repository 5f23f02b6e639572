"""The double as tests use it: started, with what Terraform would make in it, and steered from outside."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import boto3
import httpx

from orchestration.engines.step_functions import __file__ as engine
from orchestration.runner.build import build
from tests.aws_double.batch import ACCOUNT, programs_of
from tests.live.platform import ROOT, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REGION: Final = "eu-west-1"
BUCKET: Final = "esteira-manifests"
QUEUE: Final = f"arn:aws:batch:{REGION}:{ACCOUNT}:job-queue/esteira-standard"
ROLE: Final = f"arn:aws:iam::{ACCOUNT}:role/esteira-machine"
KEYS: Final = {"AWS_ACCESS_KEY_ID": "double", "AWS_SECRET_ACCESS_KEY": "double", "AWS_DEFAULT_REGION": REGION}


@dataclass(frozen=True, slots=True)
class AwsDouble:
    url: str
    state_machine: str
    folder: Path

    @property
    def settings(self) -> dict[str, str]:
        """For the environment of a platform that runs its jobs here."""
        return KEYS | {
            "ESTEIRA_ENGINE": "aws",
            "ESTEIRA_AWS_ENDPOINT": self.url,
            "ESTEIRA_STATE_MACHINE": self.state_machine,
            "ESTEIRA_BATCH_QUEUE": QUEUE,
            "ESTEIRA_BATCH_SPOT_QUEUE": f"{QUEUE}-spot",
            "ESTEIRA_BATCH_IMAGE": f"platform@sha256:{'a' * 64}",
            "ESTEIRA_BATCH_LOG_GROUP": "/esteira/steps",
            "ESTEIRA_MANIFESTS": f"s3://{BUCKET}/runs",
        }

    def client(self, service: Any) -> Any:
        """Past the platform, as an administrator."""
        return client(service, self.url)

    def interrupt(self, name: str) -> int:
        """The machines under the running Batch jobs whose name contains `name` go away. How many they were."""
        return int(self._ask("interrupt", name=name)["interrupted"])

    def hold(self, *, is_held: bool) -> None:
        """While it is held nothing is started: all that comes stays RUNNABLE."""
        self._ask("hold", is_held=is_held)

    def add_program(self, image: str, name: str, text: str) -> None:
        """A script that containers of this image find in their PATH before anything else."""
        folder = programs_of(self.folder, image)
        folder.mkdir(parents=True, exist_ok=True)
        program = folder / name
        program.write_text(text)
        program.chmod(0o755)

    def lose(self, share: float) -> None:
        """Of the answers to StartExecution, so many never arrive, although what was asked is done."""
        self._ask("lose", share=share)

    def complain(self, reason: str) -> int:
        """Batch says of all jobs in the queue why they stand there. How many they are."""
        return int(self._ask("complain", reason=reason)["about"])

    def running(self) -> int:
        return int(self._ask("state")["running"])

    def unfinished(self, name: str = "") -> int:
        """Batch jobs that run or are in the queue, of those whose name contains `name`."""
        return int(self._ask("unfinished", name=name)["unfinished"])

    def news(self, *, after: int) -> list[dict[str, Any]]:
        """Batch jobs as they were described each time one had changed, without the first `after`."""
        found: list[dict[str, Any]] = self._ask("news", after=after)["news"]
        return found

    def submitted(self) -> list[str]:
        """Names of all Batch jobs there ever were."""
        found: list[str] = self._ask("state")["submitted"]
        return found

    def arrays(self) -> dict[str, int]:
        """How many children each array has, by the name of its Batch job."""
        found: dict[str, int] = self._ask("state")["arrays"]
        return found

    def forget(self, name: str) -> None:
        """Executions and ended Batch jobs whose name begins so, as AWS does after 90 and 7 days."""
        self._ask("forget", name=name)

    def executions(self) -> list[dict[str, Any]]:
        pages = self.client("stepfunctions").get_paginator("list_executions")
        return [one for page in pages.paginate(stateMachineArn=self.state_machine) for one in page["executions"]]

    def _ask(self, what: str, **asked: Any) -> dict[str, Any]:
        answer = _asking().post(f"{self.url}/double/{what}", json=asked)
        answer.raise_for_status()
        said: dict[str, Any] = answer.json()
        return said


@cache
def _asking() -> httpx.Client:
    """One for all: it is asked often, and to make one takes longer than to ask."""
    return httpx.Client(timeout=30, trust_env=False, verify=False)  # noqa: S501  plain HTTP to this machine


def client(service: Any, url: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
    )


@contextlib.contextmanager
def aws_double(folder: Path, *, look_s: float = 0.2) -> Iterator[AwsDouble]:
    """`look_s`: so often the state machine looks how its Batch jobs are."""
    port = free_port()
    runner = build(folder / "runner.pyz")
    command = [sys.executable, "-m", "tests.aws_double", str(port), str(folder), str(runner), str(look_s)]
    with (
        (folder / "double.log").open("wb") as log,
        subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log) as process,
    ):
        assert process.stdin
        assert process.stdout
        try:
            assert process.stdout.readline() == b"ready\n", (folder / "double.log").read_text()
            url = f"http://127.0.0.1:{port}"
            place: Any = {"LocationConstraint": REGION}
            client("s3", url).create_bucket(Bucket=BUCKET, CreateBucketConfiguration=place)
            text = (ROOT / engine).with_name("pipeline.asl.json").read_text()
            machine = client("stepfunctions", url).create_state_machine(name="esteira", definition=text, roleArn=ROLE)
            yield AwsDouble(url, machine["stateMachineArn"], folder)
        finally:
            process.stdin.close()
            process.wait(30)
