"""What a person chooses about the mail that tells her of her jobs."""

from __future__ import annotations

from django.db import transaction
from django.db.models import F

from orchestration.errors import Invalid
from orchestration.models import Job, User
from orchestration.states import MAILED, MailOn


@transaction.atomic
def choose(*, user: User, mail_on: str) -> None:
    """From now on: an end that was not wanted when it came is not mailed afterwards."""
    if mail_on not in set(MailOn):
        raise Invalid("Mail comes never, on failures, or always.")
    locked = User.objects.select_for_update(no_key=True).get(pk=user.pk)
    unwanted = MAILED[mail_on] - MAILED[locked.mail_on]
    Job.objects.untold().filter(created_by=user, state__in=unwanted).update(told_run=F("run"))
    User.objects.filter(pk=user.pk).update(mail_on=mail_on)
    user.mail_on = mail_on


def address_changed(*, user: User) -> None:
    """What was said of the old address does not hold for the new one, which need not wait for it either."""
    User.objects.filter(pk=user.pk).update(mail_problem="", mail_tries=0, mail_next_at=None)
