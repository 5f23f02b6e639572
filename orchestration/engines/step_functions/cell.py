"""One account and region where executions run, and what was made for us there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestration.errors import EngineRejected

if TYPE_CHECKING:
    from uuid import UUID

    from orchestration.spec.model import StepSpec


@dataclass(frozen=True, slots=True)
class Cell:
    """`prefix` begins the names of what is made at run time, so that policies can name it."""

    state_machine: str
    queue: str
    image: str
    log_group: str
    server: str
    gpu_queue: str = ""
    spot_queue: str = ""
    """Of machines that may be taken away. Steps go there that say so, and on to `queue`; without it at once."""
    manifests: str = ""
    """Folder for the lists of a fan-out's items, as s3://bucket/folder."""
    execution_role: str = ""
    """What the machine itself may do to pull an image and to write its log; no step gets it."""
    fair_share: str = ""
    """Not empty: its queues have a scheduling policy, and refuse a job that names no share."""
    platform: str = "EC2"
    """Or FARGATE: what its queues start containers on."""
    endpoint: str = ""
    prefix: str = "esteira"
    name: str = "default"
    sees_our_folders: str = ""
    """Not empty: processes on this machine stand in for Amazon's. No setting says so."""

    @property
    def region(self) -> str:
        return self.state_machine.split(":")[3]

    @property
    def account(self) -> str:
        return self.state_machine.split(":")[4]

    @property
    def queues(self) -> tuple[str, ...]:
        return tuple(queue for queue in (self.queue, self.gpu_queue, self.spot_queue) if queue)

    def queue_for(self, step: StepSpec) -> str:
        if not step.resources.gpu:
            return self.queue
        if not self.gpu_queue:
            raise EngineRejected(f"Step {step.name} needs a GPU, and no queue here has any.")
        return self.gpu_queue

    def spot_queue_for(self, step: StepSpec) -> str:
        """Where its first attempts go; "" for a step that goes to `queue_for` at once."""
        return self.spot_queue if step.spot and not step.resources.gpu else ""

    def share_of(self, workspace: UUID) -> str:
        """By which its queues give each workspace its turn; "" where they have no shares."""
        return workspace.hex if self.fair_share else ""

    def execution(self, name: str) -> str:
        """What Step Functions calls the execution of this name."""
        return f"{self.state_machine.replace(':stateMachine:', ':execution:')}:{name}"
