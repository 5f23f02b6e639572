from orchestration.models.account import ApiToken, Membership, User, Workspace
from orchestration.models.attempt import Attempt
from orchestration.models.event import Event
from orchestration.models.execution import Execution
from orchestration.models.file import File
from orchestration.models.job import Job, JobInput
from orchestration.models.pipeline import Pipeline, PipelineVersion
from orchestration.models.step import Item, StepRun
from orchestration.models.upload import Upload

__all__ = [
    "ApiToken",
    "Attempt",
    "Event",
    "Execution",
    "File",
    "Item",
    "Job",
    "JobInput",
    "Membership",
    "Pipeline",
    "PipelineVersion",
    "StepRun",
    "Upload",
    "User",
    "Workspace",
]
