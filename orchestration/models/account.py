"""Who: users, the workspaces they share, and the tokens their programs use."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

from django.contrib.auth.models import AbstractUser
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models.functions import Now

from orchestration.ids import new_id
from orchestration.states import ROLE_RANK, BudgetMode, MailOn, Role

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser


class User(AbstractUser):
    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    mail_on = models.CharField(
        "mail when a job ends",
        max_length=8,
        choices=[(m, m) for m in MailOn],
        default=MailOn.FAILURES,
        db_default=MailOn.FAILURES,
    )
    # No mail before this: the pause between two digests, a sender's claim, and the backoff after a failed try.
    mail_next_at = models.DateTimeField(null=True, blank=True, editable=False)
    mail_tries = models.PositiveSmallIntegerField(default=0, db_default=0, editable=False)
    # Why the address was refused the last time; "" while mail goes through.
    mail_problem = models.CharField(max_length=500, blank=True, default="", db_default="", editable=False)

    class Meta(AbstractUser.Meta):
        constraints = [models.CheckConstraint(condition=models.Q(mail_on__in=list(MailOn)), name="user_mail_on_known")]


class WorkspaceQuerySet(models.QuerySet["Workspace"]):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        if not user.is_authenticated:
            return self.none()
        return self if user.is_superuser else self.filter(memberships__user=user)


class Workspace(models.Model):
    """The tenant boundary. `max_active_jobs` bounds what is admitted at once, not what may wait."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    slug = models.SlugField(max_length=63, unique=True)
    name = models.CharField(max_length=200)
    max_active_jobs = models.PositiveIntegerField(default=1_000)
    upload_retention_days = models.PositiveIntegerField(default=365)
    result_retention_days = models.PositiveIntegerField(default=1_826)
    # Bytes of files and of open uploads together; null: no limit but the disk.
    quota_bytes = models.BigIntegerField(null=True, blank=True)
    # When one of its jobs was last taken in hand: whoever waits longest is next.
    handed_over_at = models.DateTimeField(null=True, blank=True, editable=False)
    # USD a calendar month (UTC); null: none. Managers are told at `budget_warn_percent` of it and at its end.
    budget_usd = models.DecimalField(max_digits=12, decimal_places=2, null=True, blank=True)
    budget_warn_percent = models.PositiveSmallIntegerField(
        default=80, db_default=80, validators=[MinValueValidator(1), MaxValueValidator(100)]
    )
    budget_mode = models.CharField(
        max_length=8, choices=[(m, m) for m in BudgetMode], default=BudgetMode.WARN, db_default=BudgetMode.WARN
    )
    created_at = models.DateTimeField(db_default=Now())

    objects: ClassVar = WorkspaceQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(budget_mode__in=list(BudgetMode)), name="workspace_budget_mode_known"
            ),
            models.CheckConstraint(
                condition=models.Q(budget_usd__isnull=True) | models.Q(budget_usd__gte=0),
                name="workspace_budget_not_negative",
            ),
        ]

    def __str__(self) -> str:
        return self.slug

    def role_of(self, user: User) -> str | None:
        if user.is_superuser:
            return Role.MANAGER
        return self.memberships.filter(user=user).values_list("role", flat=True).first()

    def lets(self, user: User, role: Role) -> bool:
        """Whether `user` has at least `role` here."""
        has = self.role_of(user)
        return has is not None and ROLE_RANK[has] >= ROLE_RANK[role]


class Membership(models.Model):
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=16, choices=[(r, r) for r in Role], default=Role.SUBMITTER)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "user"], name="membership_once"),
            models.CheckConstraint(condition=models.Q(role__in=list(Role)), name="membership_role_known"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.role} of {self.workspace_id}"


class ApiToken(models.Model):
    """Only the hash of the secret is kept; `public_id` finds the row."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="tokens")
    name = models.CharField(max_length=200)
    public_id = models.CharField(max_length=16, unique=True)
    secret_hash = models.BinaryField(max_length=32)
    scopes = models.JSONField(default=list)
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.name} ({self.public_id})"


class LiveTicket(models.Model):
    """Stands for a token once, within a minute: for a page's WebSocket, which can send no headers."""

    digest = models.CharField(primary_key=True, max_length=64)
    token = models.ForeignKey(ApiToken, models.CASCADE, related_name="live_tickets")
    expires_at = models.DateTimeField()

    objects: ClassVar = models.Manager()

    def __str__(self) -> str:
        return f"{self.token_id} until {self.expires_at:%H:%M:%S}"
