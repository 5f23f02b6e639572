"""The JSON of webhooks, in and out (docs/webhooks.md)."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, Field, WithJsonSchema

from api_app.json_types import AS_NUMBER, Flag, Moment
from api_app.schemas import PLAIN, In, Slug
from orchestration.models.webhook import MOST_LETTERS
from orchestration.services.webhooks import LONGEST_OVERLAP_HOURS, OVERLAP_HOURS
from orchestration.states import WEBHOOK_CHOICES, WEBHOOK_ENDS, DeliveryState, WebhookKind

Url = Annotated[
    str,
    Field(
        min_length=1,
        max_length=MOST_LETTERS,
        pattern=PLAIN,
        examples=["https://hooks.example/esteira"],
        # The service says it in better words; the document has to say it too.
        json_schema_extra={"pattern": r"^https://[^\x00-\x08\x0b-\x1f\x7f]*$"},
    ),
]
Chosen = Annotated[WebhookKind, WithJsonSchema({"type": "string", "enum": list(WEBHOOK_CHOICES)})]
Kinds = Annotated[list[Chosen], Field(min_length=1, max_length=len(WEBHOOK_CHOICES))]
Description = Annotated[str, Field(max_length=200, pattern=PLAIN)]


class WebhookIn(In):
    url: Url
    workspace: Slug = ""
    kinds: Kinds = list(WEBHOOK_ENDS)
    description: Description = ""


class WebhookEditIn(In):
    """What is left out stays as it is."""

    url: Url | None = None
    kinds: Kinds | None = None
    description: Description | None = None
    enabled: Flag | None = None


class RotateIn(In):
    overlap_hours: Annotated[int, Field(ge=0, le=LONGEST_OVERLAP_HOURS), AS_NUMBER] = OVERLAP_HOURS
    """So long the secrets before it sign too; 0, after one got out: no longer."""


class ReplayIn(In):
    since: Moment | None = None
    """Of events since then; without it, of all that are kept."""


class WebhookOut(BaseModel):
    id: UUID
    workspace: str
    url: str
    kinds: list[WebhookKind]
    description: str
    enabled: bool
    disabled_reason: str | None
    """Why Esteira switched it off; null where a person did."""
    failing_since: datetime | None
    rests_until: datetime | None
    """After failures nothing is sent until then."""
    created_by: str
    created_at: datetime


class NewWebhookOut(WebhookOut):
    secret: str
    """Shown this once."""


class SecretOut(BaseModel):
    secret: str
    """Shown this once. It signs from now on."""
    created_at: datetime


class DeliveryBrief(BaseModel):
    id: UUID
    webhook: UUID
    message_id: str
    """The header `webhook-id`, the same at every try."""
    kind: WebhookKind
    job: UUID | None
    event: int | None
    state: DeliveryState
    tries: int
    due_at: datetime | None
    """When it is tried next, at the earliest."""
    status: int | None
    problem: str | None
    """Of the last try."""
    created_at: datetime
    finished_at: datetime | None


class TryOut(BaseModel):
    at: datetime
    took_ms: int
    status: int | None
    problem: str | None
    answer: str | None
    """The first letters of it."""


class DeliveryOut(DeliveryBrief):
    attempts: list[TryOut]
    """The newest first."""
    body: dict[str, Any]


class ReplayedOut(BaseModel):
    replayed: int
