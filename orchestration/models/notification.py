"""What a person is told, in the app and by mail, and how she wants to be told of what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Now

from orchestration.ids import new_id
from orchestration.models.account import User, Workspace
from orchestration.states import MAILED_AT_ONCE_TO, MailWhen, NotificationKind

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser


class NotificationQuerySet(models.QuerySet["Notification"]):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        """One's own, of workspaces that one is still in."""
        if not user.is_authenticated:
            return self.none()
        return self.filter(user=user, is_shown=True, workspace__in=Workspace.objects.visible_to(user))

    def unread(self) -> Self:
        return self.filter(read_at__isnull=True)

    def to_mail(self) -> Self:
        """What has grown since it was last mailed."""
        return self.exclude(mail="").filter(count__gt=F("mailed_count"))


class Notification(models.Model):
    """One thing of which a person is told. What is like it joins it for as long as she has not read it: `count`."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="notifications")
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="notifications")
    kind = models.CharField(max_length=20, choices=[(k, k) for k in NotificationKind])
    # What is like it has the same.
    group = models.CharField(max_length=200)
    count = models.PositiveIntegerField(default=1)
    # Facts of the last of them, no sentences: those are said in the reader's language.
    data = models.JSONField(default=dict)
    # False: it is only to be mailed.
    is_shown = models.BooleanField(default=True)
    mail = models.CharField(max_length=8, choices=[(m, m) for m in MailWhen], blank=True, default="")
    # Of `count`, how many she was mailed of.
    mailed_count = models.PositiveIntegerField(default=0)
    # Others may join it: it was never read. What was marked unread again stays closed.
    is_open = models.BooleanField(default=True)
    read_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    changed_at = models.DateTimeField(db_default=Now())

    objects: ClassVar = NotificationQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["user", "workspace", "kind", "group"], condition=Q(is_open=True), name="notification_joined"
            ),
            models.CheckConstraint(condition=Q(kind__in=list(NotificationKind)), name="notification_kind_known"),
            models.CheckConstraint(condition=Q(mail__in=["", *MailWhen]), name="notification_mail_known"),
        ]
        indexes = [
            models.Index(fields=["user", "-changed_at"], condition=Q(is_shown=True), name="notification_shown"),
            models.Index(fields=["user"], condition=Q(is_shown=True, read_at__isnull=True), name="notification_unread"),
            models.Index(
                fields=["user"], condition=~Q(mail="") & Q(count__gt=F("mailed_count")), name="notification_mail"
            ),
            models.Index(fields=["changed_at"], name="notification_age"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} for {self.user_id}"


class NotificationChoice(models.Model):
    """How somebody wants to be told of one kind of thing in one workspace. Without a row: as most people do."""

    user = models.ForeignKey(User, models.CASCADE, related_name="notification_choices")
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+")
    kind = models.CharField(max_length=20, choices=[(k, k) for k in NotificationKind])
    in_app = models.BooleanField()
    mail = models.CharField(max_length=8, choices=[(m, m) for m in MailWhen])

    objects: ClassVar = models.Manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "workspace", "kind"], name="notification_choice_once"),
            models.CheckConstraint(condition=Q(kind__in=list(NotificationKind)), name="notification_choice_kind_known"),
            models.CheckConstraint(condition=Q(mail__in=list(MailWhen)), name="notification_choice_mail_known"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.workspace_id} for {self.user_id}"


class NotificationBookmark(models.Model):
    """Up to which event people were told of their jobs. One row."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    event_id = models.BigIntegerField()

    objects: ClassVar = models.Manager()

    def __str__(self) -> str:
        return str(self.event_id)


def mails_by_default(kind: str, mail_on: str) -> MailWhen:
    return MailWhen.AT_ONCE if mail_on in MAILED_AT_ONCE_TO.get(kind, ()) else MailWhen.NEVER


def mailed_at_once(kind: str, *, user: str, workspace: Any, mail_on: str) -> Q:
    """Whether somebody is mailed at once of a thing of this kind: `user` and `mail_on` name columns of the row asked.

    `workspace` does too, by OuterRef, or is one.
    """
    chosen = NotificationChoice.objects.filter(kind=kind, user=OuterRef(user), workspace=workspace)
    by_default = Q(**{f"{mail_on}__in": list(MAILED_AT_ONCE_TO.get(kind, ()))}) & ~Q(Exists(chosen))
    return by_default | Q(Exists(chosen.filter(mail=MailWhen.AT_ONCE)))
