from orchestration.models.account import ApiToken, LiveTicket, Membership, User, Workspace
from orchestration.models.attempt import Attempt
from orchestration.models.audit import AuditEntry, AuditSeal
from orchestration.models.budget import BudgetNotice
from orchestration.models.definition import BatchJobDefinition
from orchestration.models.delivery import WebhookAttempt, WebhookBookmark, WebhookDelivery
from orchestration.models.dispatching import Leadership, TokenBucket
from orchestration.models.event import Event
from orchestration.models.execution import Execution
from orchestration.models.file import Examination, File, FileEvent
from orchestration.models.idempotency import IdempotentCall
from orchestration.models.invitation import Invitation
from orchestration.models.job import Job, JobInput
from orchestration.models.letter import Letter
from orchestration.models.manifest import Manifest, SigningKey
from orchestration.models.notification import Notification, NotificationBookmark, NotificationChoice
from orchestration.models.operation import BulkItem, BulkOperation
from orchestration.models.pause import Pause
from orchestration.models.pipeline import Pipeline, PipelineVersion
from orchestration.models.repair import Repair
from orchestration.models.saved_filter import SavedFilter
from orchestration.models.share import SharedFile, ShareLink
from orchestration.models.step import Item, StepRun
from orchestration.models.tally import JobTally, Reading, TallyBookmark
from orchestration.models.upload import Upload, UploadPart
from orchestration.models.violation import InvariantWatch, Violation
from orchestration.models.webhook import WebhookEndpoint, WebhookSecret

__all__ = [
    "ApiToken",
    "Attempt",
    "AuditEntry",
    "AuditSeal",
    "BatchJobDefinition",
    "BudgetNotice",
    "BulkItem",
    "BulkOperation",
    "Event",
    "Examination",
    "Execution",
    "File",
    "FileEvent",
    "IdempotentCall",
    "InvariantWatch",
    "Invitation",
    "Item",
    "Job",
    "JobInput",
    "JobTally",
    "Leadership",
    "Letter",
    "LiveTicket",
    "Manifest",
    "Membership",
    "Notification",
    "NotificationBookmark",
    "NotificationChoice",
    "Pause",
    "Pipeline",
    "PipelineVersion",
    "Reading",
    "Repair",
    "SavedFilter",
    "ShareLink",
    "SharedFile",
    "SigningKey",
    "StepRun",
    "TallyBookmark",
    "TokenBucket",
    "Upload",
    "UploadPart",
    "User",
    "Violation",
    "WebhookAttempt",
    "WebhookBookmark",
    "WebhookDelivery",
    "WebhookEndpoint",
    "WebhookSecret",
    "Workspace",
]
