"""What Terraform made for the engine on AWS, as the environment names it. Read only where ESTEIRA_ENGINE is aws."""

from __future__ import annotations

import re
from typing import Final

from project import env

_PLACE: Final = r"(?P<partition>aws[a-z-]{0,12}):%s:(?P<region>[a-z0-9-]{1,25}):(?P<account>[0-9]{12})"
_MACHINE: Final = re.compile(f"arn:{_PLACE % 'states'}:stateMachine:[A-Za-z0-9_-]{{1,80}}")
_QUEUE: Final = re.compile(f"arn:{_PLACE % 'batch'}:job-queue/[A-Za-z0-9_-]{{1,128}}")
_ROLE: Final = re.compile(r"arn:aws[a-z-]{0,12}:iam::[0-9]{12}:role/[\w+=,.@/-]{1,512}", re.ASCII)
_IMAGE: Final = re.compile(r"[a-z0-9][A-Za-z0-9./:_-]{0,254}@sha256:[0-9a-f]{64}")
_GROUP: Final = re.compile(r"[A-Za-z0-9._/#-]{1,512}")
_FOLDER: Final = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9_.-]+)+")
_ADDRESS: Final = re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]*)?")
# A job definition's name has 128 characters, of which the pipeline's and the step's take the most.
_PREFIX: Final = re.compile(r"[a-z][a-z0-9-]{0,19}")


def read(public_url: str) -> dict[str, str]:
    """The fields of the engine's cell. Stops the process with a sentence where something is missing."""
    platform = env.choice("ESTEIRA_BATCH_PLATFORM", "EC2", allowed=("EC2", "FARGATE"))
    role = _fit("ESTEIRA_BATCH_EXECUTION_ROLE", _ROLE, "the ARN of a role; empty for none", default="")
    if platform == "FARGATE" and not role:
        raise env.BadSetting("ESTEIRA_BATCH_EXECUTION_ROLE", role, "the ARN of a role: Fargate has no machine with one")
    machine = _fit("ESTEIRA_STATE_MACHINE", _MACHINE, "arn:aws:states:REGION:ACCOUNT:stateMachine:NAME")
    return {
        "state_machine": machine,
        "queue": _queue("ESTEIRA_BATCH_QUEUE", machine),
        "gpu_queue": _queue("ESTEIRA_BATCH_GPU_QUEUE", machine) if env.text("ESTEIRA_BATCH_GPU_QUEUE") else "",
        "spot_queue": _queue("ESTEIRA_BATCH_SPOT_QUEUE", machine) if env.text("ESTEIRA_BATCH_SPOT_QUEUE") else "",
        "image": _fit("ESTEIRA_BATCH_IMAGE", _IMAGE, "the image of steps with its digest, NAME@sha256:…"),
        "log_group": _fit("ESTEIRA_BATCH_LOG_GROUP", _GROUP, "the name of a CloudWatch log group that exists"),
        "execution_role": role,
        "platform": platform,
        "manifests": _fit("ESTEIRA_MANIFESTS", _FOLDER, "s3://bucket/folder, where lists of items are put"),
        "endpoint": _fit("ESTEIRA_AWS_ENDPOINT", _ADDRESS, "http://host:port; empty for Amazon's own", default=""),
        "server": _fit("ESTEIRA_RUNNER_URL", _ADDRESS, "the address at which steps reach this server", public_url),
        "fair_share": "yes" if env.flag("ESTEIRA_BATCH_FAIR_SHARE", default=False) else "",
        "prefix": _fit("ESTEIRA_BATCH_PREFIX", _PREFIX, "up to 20 of a-z, 0-9 and -, a letter first", "esteira"),
    }


def _fit(name: str, form: re.Pattern[str], allowed: str, default: str | None = None) -> str:
    """`default` None: it must be given. What is given must have the form; so must a default that is not empty."""
    found = env.text(name, default or "").rstrip("/")
    if (found or default is None) and not form.fullmatch(found):
        raise env.BadSetting(name, found, allowed)
    return found


def _queue(name: str, machine: str) -> str:
    """In the account and region of the state machine: no other could it submit to."""
    queue = _fit(name, _QUEUE, "arn:aws:batch:REGION:ACCOUNT:job-queue/NAME")
    here, there = machine.split(":")[3:5], queue.split(":")[3:5]
    if here != there:
        raise env.BadSetting(name, queue, f"a queue where the state machine is, in {here[0]} of account {here[1]}")
    return queue
