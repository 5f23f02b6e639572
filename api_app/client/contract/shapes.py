"""The JSON of the contract, written by `make clients` from docs/openapi.json; changes here are lost."""

from typing import Any, Literal, NotRequired, TypedDict


class Accepts(TypedDict):
    max_files: int
    max_size: int | None
    min_files: int
    types: list[str]


class AccountTokenIn(TypedDict):
    expires_in_days: NotRequired[int]
    name: str
    scopes: NotRequired[list[Literal["read", "upload", "run", "admin"]] | None]


class Amount(TypedDict):
    bytes: int
    files: int


type AttemptState = Literal["QUEUED", "STARTING", "RUNNING", "SUCCEEDED", "FAILED", "CANCELED", "TIMED_OUT"]


class Budget(TypedDict):
    """Of the month, in USD as exact text. `expected` is of jobs that have not ended, by their estimates."""

    budget_usd: str
    expected_usd: str
    left_usd: str
    mode: str
    month: str
    spent_usd: str
    warn_percent: int


type BulkAction = Literal["cancel", "retry", "resubmit", "rerun", "label", "priority"]


class BulkChoiceIn(TypedDict):
    """Jobs by a filter (docs/filters.md) or by their ids, of one workspace where it is named."""

    action: BulkAction
    ids: NotRequired[list[str]]
    q: NotRequired[str]
    workspace: NotRequired[str]


type RemoveLabel = str


class BulkIn(TypedDict):
    action: BulkAction
    expected: NotRequired[int | None]
    ids: NotRequired[list[str]]
    priority: NotRequired[int | None]
    q: NotRequired[str]
    remove_labels: NotRequired[list[RemoveLabel]]
    set_labels: NotRequired[dict[str, str]]
    workspace: NotRequired[str]


class Bulk(TypedDict):
    action: BulkAction
    canceled_at: str | None
    created_at: str
    done: int
    finished_at: str | None
    id: str
    priority: int | None
    q: str
    refused: int
    remove_labels: list[str]
    set_labels: dict[str, str]
    skipped: int
    total: int


type BulkOutcome = Literal["done", "refused", "skipped"]


class CompleteBatchIn(TypedDict):
    ids: list[str]


class CompleteIn(TypedDict):
    crc64nvme: NotRequired[str]
    size: NotRequired[int | None]


class Cost(TypedDict):
    """In USD, exact, as text. What has no price is null, never 0; it is counted in `unpriced_attempts`."""

    actual_usd: str | None
    estimate_basis: str | None
    estimate_usd: str | None
    keeping_usd: str | None
    prices: str
    unpriced_attempts: int


type DeliveryState = Literal["waiting", "delivered", "failed", "dropped"]


type EventKind = Literal["job", "step", "item", "attempt", "progress"]


class Event(TypedDict):
    at: str
    attempt: str | None
    data: dict[str, Any]
    id: int
    item: int | None
    job: str
    kind: EventKind
    new: str | None
    old: str | None
    reason: str | None
    step: str | None


class ExtendIn(TypedDict):
    """Either `days` from the present date on, or `until` the end of a day in UTC."""

    days: NotRequired[int | None]
    until: NotRequired[str | None]


class Failure(TypedDict):
    code: str
    detail: str


type FileEventKind = Literal[
    "scan",
    "released",
    "damaged",
    "restored",
    "deduplicated",
    "warned",
    "extended",
    "held",
    "unheld",
    "deleted",
    "expired",
    "undeleted",
    "purged",
]


class FileEvent(TypedDict):
    at: str
    by: str | None
    data: dict[str, Any]
    kind: FileEventKind
    new: str | None
    old: str | None
    reason: str | None


type FileKind = Literal["upload", "result", "intermediate"]


class HoldIn(TypedDict):
    reason: str


class InvitationIn(TypedDict):
    email: str
    role: NotRequired[Literal["viewer", "submitter", "manager"]]


class Invitation(TypedDict):
    created_at: str
    email: str
    expires_at: str
    id: str
    invited_by: str | None
    role: Literal["viewer", "submitter", "manager"]
    workspace: str


class JobEditIn(TypedDict):
    """What is left out stays as it is; `labels` are all of them; a `deadline` of null is none."""

    deadline: NotRequired[str | None]
    deadline_s: NotRequired[int | None]
    labels: NotRequired[dict[str, str] | None]
    name: NotRequired[str | None]
    priority: NotRequired[int | None]


class JobIn(TypedDict):
    deadline: NotRequired[str | None]
    deadline_s: NotRequired[int | None]
    inputs: NotRequired[list[str]]
    labels: NotRequired[dict[str, str] | None]
    name: NotRequired[str]
    params: NotRequired[dict[str, Any] | None]
    pipeline: str
    priority: NotRequired[int]
    validate_only: NotRequired[bool]
    workspace: NotRequired[str]


type JobState = Literal["WAITING", "QUEUED", "STARTING", "RUNNING", "SUCCEEDED", "FAILED", "CANCELED", "TIMED_OUT"]


class JobWanted(TypedDict):
    deadline: NotRequired[str | None]
    deadline_s: NotRequired[int | None]
    inputs: NotRequired[list[str]]
    labels: NotRequired[dict[str, str] | None]
    name: NotRequired[str]
    params: NotRequired[dict[str, Any] | None]
    pipeline: str
    priority: NotRequired[int]
    workspace: NotRequired[str]


class LeakedTokenIn(TypedDict):
    token: str


class LiveTicket(TypedDict):
    expires_in: int
    ticket: str


type MailWhen = Literal["never", "at_once", "daily"]


class Member(TypedDict):
    email: str
    enabled: bool
    has_second_factor: bool | None
    id: str
    role: Literal["viewer", "submitter", "manager"]
    user: str


class MemberPatch(TypedDict):
    role: Literal["viewer", "submitter", "manager"]


class NewInvitation(TypedDict):
    created_at: str
    email: str
    expires_at: str
    id: str
    invited_by: str | None
    link: str | None
    role: Literal["viewer", "submitter", "manager"]
    workspace: str


class NewShare(TypedDict):
    created_at: str
    created_by: str
    downloads: int
    expires_at: str
    has_password: bool
    id: str
    job: str
    last_used_at: str | None
    max_downloads: int | None
    name: str
    revoked_at: str | None
    revoked_by: str | None
    url: str
    with_manifest: bool


class NewToken(TypedDict):
    expires_at: str
    id: str
    name: str
    scopes: list[str]
    token: str
    workspace: str | None


type NotificationKind = Literal[
    "job.failed",
    "job.ended",
    "job.waits",
    "bulk.done",
    "file.trouble",
    "files.going",
    "budget.near",
    "quota.near",
    "webhook.off",
    "members.changed",
]


class Notification(TypedDict):
    changed_at: str
    count: int
    created_at: str
    data: dict[str, Any]
    detail: str
    id: str
    kind: NotificationKind
    read_at: str | None
    title: str
    url: str
    workspace: str


class NotificationPatch(TypedDict):
    read: bool


class PartIn(TypedDict):
    crc64nvme: str
    md5: NotRequired[str]
    number: int
    sha256: NotRequired[str]
    size: NotRequired[int | None]


class PartOfIn(TypedDict):
    crc64nvme: str
    id: str
    md5: NotRequired[str]
    number: int
    sha256: NotRequired[str]
    size: NotRequired[int | None]


class PartsIn(TypedDict):
    parts: list[PartIn]


class PipelineStep(TypedDict):
    for_each: str | None
    name: str
    needs: list[str]
    title: str


class PlannedStep(TypedDict):
    items: int
    name: str


class Problem(TypedDict):
    """RFC 9457."""

    code: str
    detail: str
    errors: NotRequired[list[dict[str, Any]] | None]
    status: int
    title: str
    type: str


class Put(TypedDict):
    expires_at: str
    headers: dict[str, str]
    method: str
    number: int
    url: str


class ReadNotificationsIn(TypedDict):
    workspace: NotRequired[str]


class ReadNotifications(TypedDict):
    marked: int


class Receipt(TypedDict):
    """What the records of this server say of a deletion at `issued_at`. It is not signed."""

    bytes: str
    bytes_destroyed_at: str | None
    crc64nvme: str
    created_at: str
    created_by: str | None
    deleted_at: str
    deleted_by: str | None
    events: list[FileEvent]
    expires_at: str
    file: str
    issued_at: str
    kind: FileKind
    media_type: str
    name: str
    path: str
    released_at: str | None
    rule: str | None
    sha256: str
    signed: bool
    size: int
    undelete_until: str | None
    workspace: str


class ReleaseIn(TypedDict):
    reason: NotRequired[str]


class ReplayIn(TypedDict):
    since: NotRequired[str | None]


class Replayed(TypedDict):
    replayed: int


type Item = int


class RerunIn(TypedDict):
    """Without a step and items: every failed item of every fan-out."""

    items: NotRequired[list[Item] | None]
    step: NotRequired[str | None]


class ResubmitIn(TypedDict):
    """What is left out stays as it was."""

    inputs: NotRequired[list[str] | None]
    params: NotRequired[dict[str, Any] | None]
    pipeline: NotRequired[str | None]


class RotateIn(TypedDict):
    overlap_hours: NotRequired[int]


class RotateTokenIn(TypedDict):
    overlap_hours: NotRequired[int]


type ScanState = Literal["received", "scanning", "clean", "quarantined"]


class Secret(TypedDict):
    created_at: str
    secret: str


class SelectionIn(TypedDict):
    ids: list[str]


class ServiceAccountIn(TypedDict):
    name: str
    role: NotRequired[Literal["viewer", "submitter", "manager"]]
    workspace: NotRequired[str]


class ServiceAccount(TypedDict):
    created_at: str
    enabled: bool
    id: str
    role: str | None
    user: str
    workspace: str


class ServiceAccountPatch(TypedDict):
    enabled: NotRequired[bool | None]
    role: NotRequired[Literal["viewer", "submitter", "manager"] | None]


class ShareIn(TypedDict):
    days: int
    files: NotRequired[list[str]]
    max_downloads: NotRequired[int | None]
    name: NotRequired[str]
    password: NotRequired[str]
    with_manifest: NotRequired[bool]


class Share(TypedDict):
    created_at: str
    created_by: str
    downloads: int
    expires_at: str
    has_password: bool
    id: str
    job: str
    last_used_at: str | None
    max_downloads: int | None
    name: str
    revoked_at: str | None
    revoked_by: str | None
    with_manifest: bool


class SignBatchIn(TypedDict):
    parts: list[PartOfIn]


class Signature(TypedDict):
    keyid: str
    sig: str


class SigningKey(TypedDict):
    alg: NotRequired[Literal["EdDSA"]]
    created_at: str
    crv: NotRequired[Literal["Ed25519"]]
    kid: str
    kty: NotRequired[Literal["OKP"]]
    pem: str
    retired_at: str | None
    revoked_at: str | None
    revoked_reason: str | None
    use: NotRequired[Literal["sig"]]
    x: str


class SigningKeys(TypedDict):
    keys: list[SigningKey]


class TokenIn(TypedDict):
    expires_in_days: NotRequired[int]
    name: str
    scopes: NotRequired[list[Literal["read", "upload", "run", "admin"]] | None]
    workspace: NotRequired[str]


class Token(TypedDict):
    created_at: str
    expires_at: str
    id: str
    last_used_at: str | None
    last_used_ip: str | None
    name: str
    replaced_by: str | None
    scopes: list[str]
    start: str
    workspace: str | None


class Try(TypedDict):
    answer: str | None
    at: str
    problem: str | None
    status: int | None
    took_ms: int


class Tus(TypedDict):
    extensions: list[str]
    url: str


class UploadIn(TypedDict):
    content_type: NotRequired[str]
    crc64nvme: NotRequired[str]
    fingerprint: NotRequired[str]
    modified: NotRequired[str | None]
    name: str
    part_size_hint: NotRequired[int | None]
    path: NotRequired[str]
    resume: NotRequired[bool]
    size: int | None
    workspace: NotRequired[str]


type UploadMode = Literal["single", "parts"]


type UploadState = Literal["open", "completing", "complete", "aborted", "expired", "failed"]


class Usage(TypedDict):
    """`used_bytes`, which the quota is about, are `stored_bytes` and what uploads under way have reserved."""

    budget: Budget | None
    classes: dict[str, Amount]
    expiring: Amount
    held: Amount
    quota_bytes: int | None
    reserved_bytes: int
    saved_bytes: int
    stored_bytes: int
    total: Amount
    used_bytes: int
    workspace: str


type WaitingReason = Literal[
    "scan", "quota", "concurrency", "capacity", "image", "misconfigured", "schedule", "platform", "paused"
]


class WebhookEditIn(TypedDict):
    """What is left out stays as it is."""

    description: NotRequired[str | None]
    enabled: NotRequired[bool | None]
    kinds: NotRequired[
        list[
            Literal[
                "job.submitted",
                "job.queued",
                "job.started",
                "job.succeeded",
                "job.failed",
                "job.timed_out",
                "job.canceled",
                "job.retried",
            ]
        ]
        | None
    ]
    url: NotRequired[str | None]


class WebhookIn(TypedDict):
    description: NotRequired[str]
    kinds: NotRequired[
        list[
            Literal[
                "job.submitted",
                "job.queued",
                "job.started",
                "job.succeeded",
                "job.failed",
                "job.timed_out",
                "job.canceled",
                "job.retried",
            ]
        ]
    ]
    url: str
    workspace: NotRequired[str]


type WebhookKind = Literal[
    "job.submitted",
    "job.queued",
    "job.started",
    "job.succeeded",
    "job.failed",
    "job.timed_out",
    "job.canceled",
    "job.retried",
    "webhook.test",
]


class Webhook(TypedDict):
    created_at: str
    created_by: str
    description: str
    disabled_reason: str | None
    enabled: bool
    failing_since: str | None
    id: str
    kinds: list[WebhookKind]
    rests_until: str | None
    url: str
    workspace: str


type WorkState = Literal["WAITING", "RUNNING", "SUCCEEDED", "FAILED", "CANCELED", "TIMED_OUT", "SKIPPED"]


class Workspace(TypedDict):
    id: str
    name: str
    role: str
    slug: str


class Attempt(TypedDict):
    cost_usd: str | None
    detail: str | None
    exit_code: int | None
    failure_kind: str | None
    finished_at: str | None
    id: str
    item: int
    log_size: int
    message: str | None
    number: int
    on_spot: bool | None
    progress: float
    run: int
    source: str | None
    started_at: str | None
    state: AttemptState
    step: str


class BulkItem(TypedDict):
    code: str | None
    detail: str | None
    job: str
    made: str | None
    outcome: BulkOutcome | None


class Config(TypedDict):
    batch_max: int
    bundle_max: int
    checksum_required: bool
    checksums: list[str]
    inline_max: int
    max_parallel: int
    max_parts: int
    max_size: int
    sign_max: int
    transport: str
    ttl_s: int
    tus: Tus | None


class DeliveryBrief(TypedDict):
    created_at: str
    due_at: str | None
    event: int | None
    finished_at: str | None
    id: str
    job: str | None
    kind: WebhookKind
    message_id: str
    problem: str | None
    state: DeliveryState
    status: int | None
    tries: int
    webhook: str


class Delivery(TypedDict):
    attempts: list[Try]
    body: dict[str, Any]
    created_at: str
    due_at: str | None
    event: int | None
    finished_at: str | None
    id: str
    job: str | None
    kind: WebhookKind
    message_id: str
    problem: str | None
    state: DeliveryState
    status: int | None
    tries: int
    webhook: str


class Envelope(TypedDict):
    payload: str
    payloadType: str
    signatures: list[Signature]


class File(TypedDict):
    crc64nvme: str
    created_at: str
    deleted_at: str | None
    expires_at: str
    hold: bool
    id: str
    item: int | None
    job: str | None
    kind: FileKind
    media_type: str
    name: str
    path: str
    scan_state: ScanState
    sha256: str
    size: int
    step: str | None
    undelete_until: str | None


class JobBatchIn(TypedDict):
    """Up to 1,000 jobs, each in its `workspace` or in that of all."""

    atomic: NotRequired[bool]
    jobs: list[JobWanted]
    workspace: NotRequired[str]


class JobBrief(TypedDict):
    """A job in a list."""

    canceling: bool
    created_at: str
    created_by: str
    deadline: str | None
    failure_detail: str | None
    failure_kind: str | None
    finished_at: str | None
    id: str
    labels: dict[str, str]
    name: str
    params: dict[str, Any]
    pipeline: str
    pipeline_title: str
    pipeline_version: str
    priority: int
    progress: float
    queue_position: int | None
    queued_at: str | None
    resubmitted_from: str | None
    run: int
    started_at: str | None
    state: JobState
    url: str
    waiting_detail: str | None
    waiting_reason: str | None
    workspace: str


class JobResult(TypedDict):
    """What came of the submission at `index`: a job, or the problem that it alone would have been answered with."""

    created: NotRequired[bool]
    index: int
    job: NotRequired[JobBrief | None]
    problem: NotRequired[dict[str, Any] | None]


class JobResults(TypedDict):
    results: list[JobResult]


class Me(TypedDict):
    user: str
    workspaces: list[Workspace]


class NewWebhook(TypedDict):
    created_at: str
    created_by: str
    description: str
    disabled_reason: str | None
    enabled: bool
    failing_since: str | None
    id: str
    kinds: list[WebhookKind]
    rests_until: str | None
    secret: str
    url: str
    workspace: str


class NotificationChoiceIn(TypedDict):
    in_app: bool
    kind: NotificationKind
    mail: MailWhen


class NotificationChoice(TypedDict):
    in_app: bool
    is_chosen: bool
    kind: NotificationKind
    mail: MailWhen


class NotificationSettings(TypedDict):
    choices: list[NotificationChoice]
    digest_hour: int
    workspace: str


class NotificationSettingsPatch(TypedDict):
    choices: NotRequired[list[NotificationChoiceIn]]
    digest_hour: NotRequired[int | None]


class PartResult(TypedDict):
    index: int
    part: NotRequired[Put | None]
    problem: NotRequired[dict[str, Any] | None]


class PartResults(TypedDict):
    results: list[PartResult]


class Parts(TypedDict):
    parts: list[Put]


class Pipeline(TypedDict):
    accepts: Accepts
    description: str
    digest: str
    name: str
    params: dict[str, Any]
    steps: list[PipelineStep]
    title: str
    version: str
    versions: list[str]


class Step(TypedDict):
    finished_at: str | None
    items_failed: int
    items_running: int
    items_succeeded: int
    items_total: int
    message: str | None
    name: str
    progress: float
    started_at: str | None
    state: WorkState
    title: str


class UploadBatchIn(TypedDict):
    atomic: NotRequired[bool]
    uploads: list[UploadIn]
    workspace: NotRequired[str]


class UploadBrief(TypedDict):
    """What the next call needs, for `Prefer: return=minimal`."""

    file: File | None
    id: str
    put: Put | None
    state: UploadState


class Upload(TypedDict):
    content_type: str
    created_at: str
    door: str
    expires_at: str | None
    failure: Failure | None
    file: File | None
    fingerprint: str
    id: str
    max_parallel: int
    mode: UploadMode
    name: str
    part_count: int | None
    part_size: int
    path: str
    put: Put | None
    received: str | None
    received_bytes: int | None
    size: int | None
    state: UploadState
    transport: str
    tus_url: str | None
    workspace: str


class UploadResult(TypedDict):
    index: int
    problem: NotRequired[dict[str, Any] | None]
    upload: NotRequired[Upload | UploadBrief | None]


class UploadResults(TypedDict):
    results: list[UploadResult]


class Wait(TypedDict):
    detail: str
    reason: WaitingReason


class BulkPreview(TypedDict):
    others: dict[JobState, int]
    sample: list[JobBrief]
    total: int


class JobCheck(TypedDict):
    """What would become of a job."""

    active_jobs: int
    estimate_basis: str | None
    estimate_usd: str | None
    max_active_jobs: int
    params: dict[str, Any]
    pipeline: str
    pipeline_version: str
    steps: list[PlannedStep]
    waits: list[Wait]
    workspace: str


class JobListed(TypedDict):
    """What is not asked for by `expand` is left out; with `fields`, all that is not named."""

    attempts: NotRequired[list[Attempt]]
    canceling: bool
    created_at: str
    created_by: str
    deadline: str | None
    failure_detail: str | None
    failure_kind: str | None
    finished_at: str | None
    id: str
    inputs: NotRequired[list[File]]
    labels: dict[str, str]
    name: str
    params: dict[str, Any]
    pipeline: str
    pipeline_title: str
    pipeline_version: str
    priority: int
    progress: float
    queue_position: int | None
    queued_at: str | None
    resubmitted_from: str | None
    results: NotRequired[list[File]]
    run: int
    started_at: str | None
    state: JobState
    steps: NotRequired[list[Step]]
    url: str
    waiting_detail: str | None
    waiting_reason: str | None
    workspace: str


class Job(TypedDict):
    canceling: bool
    cost: Cost | None
    created_at: str
    created_by: str
    deadline: str | None
    failure_detail: str | None
    failure_kind: str | None
    finished_at: str | None
    id: str
    input_count: int
    inputs: list[File]
    labels: dict[str, str]
    name: str
    params: dict[str, Any]
    pipeline: str
    pipeline_title: str
    pipeline_version: str
    priority: int
    progress: float
    queue_position: int | None
    queued_at: str | None
    resubmitted_from: str | None
    result_count: int
    results: list[File]
    run: int
    started_at: str | None
    state: JobState
    steps: list[Step]
    url: str
    version: str
    waiting_detail: str | None
    waiting_reason: str | None
    workspace: str


class JobShown(TypedDict):
    """With `fields`, what is not named is left out."""

    attempts: NotRequired[list[Attempt]]
    canceling: bool
    cost: Cost | None
    created_at: str
    created_by: str
    deadline: str | None
    failure_detail: str | None
    failure_kind: str | None
    finished_at: str | None
    id: str
    input_count: int
    inputs: list[File]
    labels: dict[str, str]
    name: str
    params: dict[str, Any]
    pipeline: str
    pipeline_title: str
    pipeline_version: str
    priority: int
    progress: float
    queue_position: int | None
    queued_at: str | None
    resubmitted_from: str | None
    result_count: int
    results: list[File]
    run: int
    started_at: str | None
    state: JobState
    steps: list[Step]
    url: str
    version: str
    waiting_detail: str | None
    waiting_reason: str | None
    workspace: str
