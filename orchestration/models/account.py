"""Who: users, the workspaces they share, and the tokens their programs use."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.contrib.auth.models import AbstractUser
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models.functions import Now

from orchestration.ids import new_id
from orchestration.states import ROLE_RANK, BudgetMode, MailOn, Role, TokenKind

if TYPE_CHECKING:
    from uuid import UUID

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
    # The hour of the daily mail, at her own clock, and when it goes out next; null: nothing was chosen to come in it.
    digest_hour = models.PositiveSmallIntegerField(default=7, db_default=7, validators=[MaxValueValidator(23)])
    digest_next_at = models.DateTimeField(null=True, blank=True, editable=False)
    # A code of settings.LANGUAGES and a name of the tz database; "" for both: as the browser says.
    language = models.CharField(max_length=16, blank=True, default="", db_default="", editable=False)
    time_zone = models.CharField(max_length=64, blank=True, default="", db_default="", editable=False)
    # Of a service account: the workspace whose managers made it for a program.
    service_of = models.ForeignKey(
        "Workspace", models.PROTECT, null=True, blank=True, editable=False, related_name="service_accounts"
    )

    # Which columns her lists of jobs have; null: the usual ones.
    job_columns = models.JSONField(null=True, blank=True, editable=False)

    # Not a column: the one workspace that the token of this call is for. Only `services.tokens` sets it.
    bound_to: UUID | None = None

    class Meta(AbstractUser.Meta):
        constraints = [
            models.CheckConstraint(condition=models.Q(mail_on__in=list(MailOn)), name="user_mail_on_known"),
            # An unusable password begins with `!`, so nobody can sign in as a program, whatever the admin saves.
            models.CheckConstraint(
                condition=models.Q(service_of__isnull=True)
                | models.Q(password__startswith="!", is_staff=False, is_superuser=False),  # noqa: S106  the mark of none
                name="user_service_cannot_sign_in",
            ),
        ]

    @property
    def clock(self) -> ZoneInfo | None:
        """Of the time zone that she chose; None: the platform's, also where that zone was renamed since."""
        try:
            return ZoneInfo(self.time_zone) if self.time_zone else None
        except ZoneInfoNotFoundError:
            return None

    @property
    def sees_all(self) -> bool:
        """A superuser's token for one workspace sees that one."""
        return self.is_superuser and self.bound_to is None


class WorkspaceQuerySet(models.QuerySet["Workspace"]):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        if not user.is_authenticated:
            return self.none()
        mine = self if user.is_superuser else self.filter(memberships__user=user)
        # Every other `visible_to` comes through here, so this is where a token for one workspace is held to it.
        return mine if user.bound_to is None else mine.filter(pk=user.bound_to)

    def managed_by(self, user: User) -> Self:
        visible = self.visible_to(user)
        if user.is_superuser:
            return visible
        return visible.filter(memberships__user=user, memberships__role=Role.MANAGER)


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
    # A password alone lets nobody in who is a member, whatever the whole platform asks for.
    needs_second_factor = models.BooleanField("second factor for everyone", default=False, db_default=False)
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
        if user.bound_to not in {None, self.pk}:
            return None
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


class ApiTokenQuerySet(models.QuerySet["ApiToken"]):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        """One's own, and those of the service accounts one manages. A token for one workspace sees those for it."""
        if not user.is_authenticated:
            return self.none()
        mine = models.Q(user=user)
        if user.service_of_id is None:
            mine |= models.Q(user__service_of__in=Workspace.objects.managed_by(user))
        return self.filter(mine) if user.bound_to is None else self.filter(mine, workspace=user.bound_to)

    def valid(self) -> Self:
        return self.filter(revoked_at__isnull=True, user__is_active=True, expires_at__gt=Now())

    def shown(self) -> Self:
        """What is not revoked, and for a month what others have found."""
        recent = models.Q(revoked_why="leaked", revoked_at__gt=Now() - timedelta(days=30))
        shown = self.filter(models.Q(revoked_at__isnull=True) | recent)
        return shown.annotate(is_expired=models.Q(expires_at__lte=Now())).select_related("workspace", "replaced_by")


class ApiToken(models.Model):
    """Only the hash of the secret is kept; `public_id` finds the row."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="tokens")
    name = models.CharField(max_length=200)
    # "" for those made before there were kinds.
    kind = models.CharField(max_length=3, choices=[(k, k) for k in TokenKind], blank=True, default="", db_default="")
    public_id = models.CharField(max_length=16, unique=True)
    secret_hash = models.BinaryField(max_length=32)
    scopes = models.JSONField(default=list)
    # It sees and does nothing elsewhere; null: wherever its user may.
    workspace = models.ForeignKey(Workspace, models.CASCADE, null=True, blank=True, related_name="tokens")
    replaces = models.OneToOneField("self", models.SET_NULL, null=True, blank=True, related_name="replaced_by")
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    # Of within the last minute: not every use is written.
    last_used_at = models.DateTimeField(null=True, blank=True)
    last_used_ip = models.GenericIPAddressField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoked_why = models.CharField(max_length=8, blank=True, default="", db_default="")

    objects: ClassVar = ApiTokenQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(kind__in=["", *TokenKind]), name="token_kind_known"),
            models.CheckConstraint(condition=models.Q(revoked_why__in=["", "leaked"]), name="token_revoked_why_known"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.public_id})"

    @property
    def start(self) -> str:
        """So much of it may be shown."""
        return f"est_{self.kind}_{self.public_id}" if self.kind else f"est_{self.public_id}"


class LiveTicket(models.Model):
    """Stands for a token once, within a minute: for a page's WebSocket, which can send no headers."""

    digest = models.CharField(primary_key=True, max_length=64)
    token = models.ForeignKey(ApiToken, models.CASCADE, related_name="live_tickets")
    expires_at = models.DateTimeField()

    objects: ClassVar = models.Manager()

    def __str__(self) -> str:
        return f"{self.token_id} until {self.expires_at:%H:%M:%S}"
