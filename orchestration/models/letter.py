"""Mail about a person's account that is on its way: a row until it is sent, and no longer."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models.functions import Now

from orchestration.ids import new_id
from orchestration.models.account import User
from orchestration.models.invitation import Invitation
from orchestration.states import LetterKind


class Letter(models.Model):
    """It holds no secret: whatever link a mail has is made when it goes, so that a copy of the table opens nothing."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    kind = models.CharField(max_length=12, choices=[(k, k) for k in LetterKind])
    # Of RESET: what somebody typed, whether or not anybody has this address.
    address = models.EmailField(blank=True, default="")
    user = models.ForeignKey(User, models.CASCADE, null=True, blank=True, related_name="letters")
    invitation = models.ForeignKey(Invitation, models.CASCADE, null=True, blank=True, related_name="letters")
    # Of NOTICE: which of `execution.post_text.NOTICES`.
    about = models.CharField(max_length=40, blank=True, default="")
    created_at = models.DateTimeField(db_default=Now())
    # A claim too: nobody else takes it before this.
    due_at = models.DateTimeField(db_default=Now())
    tries = models.PositiveSmallIntegerField(default=0)

    objects: ClassVar = models.Manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(kind__in=list(LetterKind)), name="letter_kind_known"),
        ]
        indexes = [models.Index(fields=["due_at"], name="letter_due")]

    def __str__(self) -> str:
        return f"{self.kind} {self.about}".strip()
