from __future__ import annotations

from datetime import timedelta
from typing import ClassVar, Final, Self

from django.db import models
from django.db.models import Case, F, Q, Value, When
from django.db.models.functions import Now

from orchestration.ids import new_id
from orchestration.models.account import User, Workspace
from orchestration.models.file import File
from orchestration.models.job import Job
from orchestration.models.scoping import InWorkspaceQuerySet

TRIES: Final = 10
WINDOW: Final = timedelta(minutes=1)
"""So many passwords may be tried in so long, by everybody together and over all web processes."""


class ShareLinkQuerySet(InWorkspaceQuerySet["ShareLink"]):
    def good(self) -> Self:
        """Not over, not taken back, not used up, and of somebody who may still sign in."""
        left = Q(max_downloads__isnull=True) | Q(downloads__lt=F("max_downloads"))
        return self.filter(left, revoked_at__isnull=True, expires_at__gt=Now(), created_by__is_active=True)

    def take_try(self) -> bool:
        """One try of a password, before it is looked at. False: too many of late."""
        is_over = Q(tries_since__isnull=True) | Q(tries_since__lt=Now() - WINDOW)
        may = self.filter(is_over | Q(tries__lt=TRIES))
        tries = Case(When(is_over, then=Value(1)), default=F("tries") + 1)
        since = Case(When(is_over, then=Now()), default=F("tries_since"))
        return bool(may.update(tries=tries, tries_since=since))

    def take_download(self) -> bool:
        """Counted before the first byte: of two that come together for the last one, one gets it."""
        return bool(self.good().update(downloads=F("downloads") + 1, last_used_at=Now()))


class ShareLink(models.Model):
    """Some results of a job, for whoever has the link. Its key is kept as a hash, its password as Django keeps one."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.PROTECT, related_name="shares")
    job = models.ForeignKey(Job, models.CASCADE, related_name="shares")
    files = models.ManyToManyField(File, through="SharedFile", related_name="+")
    name = models.CharField(max_length=200, blank=True)
    key_hash = models.BinaryField(max_length=32)
    password = models.CharField(max_length=255, blank=True)
    has_manifest = models.BooleanField(default=False)
    max_downloads = models.PositiveIntegerField(null=True, blank=True)
    downloads = models.PositiveIntegerField(default=0)
    tries = models.PositiveIntegerField(default=0)
    tries_since = models.DateTimeField(null=True, blank=True)
    created_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoked_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")

    objects: ClassVar = ShareLinkQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(max_downloads__isnull=True) | Q(downloads__lte=F("max_downloads")),
                name="share_not_used_more_than_allowed",
            ),
            models.CheckConstraint(
                condition=Q(revoked_at__isnull=True) | Q(revoked_by__isnull=False), name="share_revoked_by_somebody"
            ),
        ]
        indexes = [models.Index(fields=["job", "-id"], name="share_by_job")]

    def __str__(self) -> str:
        return self.name or str(self.pk)


class SharedFile(models.Model):
    """Which files a link shows: chosen when it was made, so that no later result joins them."""

    share = models.ForeignKey(ShareLink, models.CASCADE, related_name="shared")
    file = models.ForeignKey(File, models.CASCADE, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["share", "file"], name="shared_file_once")]

    def __str__(self) -> str:
        return f"{self.share_id}: {self.file_id}"
