"""A person gets a mail when her jobs end or her files go: one for all since the last, and none within PAUSE of it.

Claim a person, commit, send, record. Whoever is killed between send and record leaves a claim that runs out, and
the same jobs are mailed once more: a mail may come twice, and none is lost. Times are the database's.
"""

from __future__ import annotations

import logging
import smtplib
import threading
import time
from collections import defaultdict
from datetime import timedelta
from enum import Enum
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.core.mail import mailers
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Left, Now

from orchestration import going
from orchestration.execution import notice
from orchestration.execution.digest import Digest, notices_for, record_mailed, to_mail_now
from orchestration.execution.isolation import one_at_a_time
from orchestration.execution.letter import DETAIL_LENGTH, Ended, Going, body, subject
from orchestration.execution.mail_form import message, speaking_to
from orchestration.models import Job, NotificationChoice, User
from orchestration.models.notification import mailed_at_once
from orchestration.points import point
from orchestration.states import JOB_FAILED, JOB_FINISHED, MAILED, MailWhen, NotificationKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.core.mail.backends.base import BaseEmailBackend
    from django.db.models import QuerySet

log = logging.getLogger(__name__)

PAUSE: Final = timedelta(minutes=5)
"""Between two mails to one person; also how long a claim lasts."""
TOO_OLD: Final = timedelta(days=1)
"""What ended earlier is no news: mail that is switched on today does not tell of last year."""
FIRST_BACKOFF: Final = timedelta(minutes=1)
LAST_BACKOFF: Final = timedelta(minutes=16)
AFTER_REFUSAL: Final = timedelta(hours=1)
MOST_JOBS: Final = 10_000
ROUND_S: Final = 20.0
"""A round begins no further mail after this, so that its message is not handed out again meanwhile."""
NO_SUCH_MAILBOX: Final = frozenset({550, 551, 553, 556})
"""The other 5xx may be the server's trouble with us (530: sign in first, 554: no relay for you), which gets mended."""

_one_round: Final = threading.Lock()


OF_JOBS: Final = {
    NotificationKind.JOB_FAILED: JOB_FAILED,
    NotificationKind.JOB_ENDED: JOB_FINISHED - JOB_FAILED,
}


class End(Enum):
    SENT = "sent"
    REFUSED = "refused"
    LATER = "later"
    """This mail does not go through now; the next person's may."""
    DOWN = "down"
    """The server does not answer or does not take us: nobody's mail goes through now."""


def tell() -> int:
    """Mail everybody who has something to hear and whose time has come; the number of mails sent.

    A server that is slow may hold one thread of a worker, never all of them.
    """
    if not settings.MAILERS or not _one_round.acquire(blocking=False):
        return 0
    try:
        return _round()
    finally:
        _one_round.release()


def _round() -> int:
    stop_at = time.monotonic() + ROUND_S
    mailer, sent, end = mailers.default, 0, None
    try:
        while end != End.DOWN and going.is_before(stop_at) and (user := _claim()):
            point("mail.claimed")
            with one_at_a_time(user.pk):
                end = _tell(mailer, user)
                sent += end == End.SENT
    finally:
        mailer.close()
    return sent


def _wanted() -> QuerySet[Job]:
    """What is to be mailed at once, as each person has chosen."""
    wanted = Q()
    for kind, states in OF_JOBS.items():
        here = OuterRef("workspace")
        wanted |= mailed_at_once(kind, user="created_by", workspace=here, mail_on="created_by__mail_on") & Q(
            state__in=states
        )
    return _news().filter(wanted)


def _news() -> QuerySet[Job]:
    fresh: QuerySet[Job] = Job.objects.untold().filter(finished_at__gt=Now() - TOO_OLD)
    return fresh


@transaction.atomic
def _claim() -> User | None:
    """Whoever is due longest. Nobody else writes to this person until PAUSE is over, whatever becomes of us."""
    wanted = Q(pk__in=notice.to_mail().values("created_by")) | to_mail_now()
    for mail_on, states in MAILED.items():
        wanted |= Q(Exists(_wanted().filter(created_by=OuterRef("pk"), state__in=states)), mail_on=mail_on)
    # Whoever chose for a workspace may want more than by default; few do, so that this is asked last.
    more = NotificationChoice.objects.filter(user=OuterRef("pk"), mail=MailWhen.AT_ONCE, kind__in=OF_JOBS)
    wanted |= Q(Exists(more)) & Q(Exists(_wanted().filter(created_by=OuterRef("pk"))))
    due = Q(mail_next_at__isnull=True) | Q(mail_next_at__lte=Now())
    user = (
        User.objects.filter(due, wanted, is_active=True)
        .exclude(email="")
        .order_by(F("mail_next_at").asc(nulls_first=True), "pk")
        .select_for_update(skip_locked=True, no_key=True)
        .first()
    )
    if user:
        User.objects.filter(pk=user.pk).update(mail_next_at=Now() + PAUSE)
    return user


def _tell(mailer: BaseEmailBackend, user: User) -> End:
    jobs = _ended(user)
    files = notice.going(user)
    digest = notices_for(user)
    if not jobs and not files and not digest.notices:
        # A daily mail that would say nothing is none, and the next is a day later.
        record_mailed(user, digest)
        return End.LATER
    end, problem = _send(mailer, user, jobs, files, digest)
    point("mail.sent")
    _record(user, jobs, files, digest, end, problem)
    numbers = {"jobs": len(jobs), "files": len(files), "notices": len(digest.notices)}
    extra = {"user_id": str(user.pk), **numbers, "end": end.value, "error": problem}
    log.log(logging.INFO if end == End.SENT else logging.WARNING, "mail", extra=extra)
    return end


def _ended(user: User) -> list[Ended]:
    """What she was not told yet, and may still see: a job of a workspace that she has left is not hers to hear of."""
    news = _wanted().filter(created_by=user)
    rows = news.filter(pk__in=Job.objects.visible_to(user).values("pk")).order_by("finished_at")
    version = "pipeline_version__"
    fields = ("pk", "run", "state", "name", f"{version}pipeline__name", "workspace__slug", "failure_kind")
    return [Ended(*row) for row in rows.values_list(*fields, Left("failure_detail", DETAIL_LENGTH + 1))[:MOST_JOBS]]


def _send(
    mailer: BaseEmailBackend, user: User, jobs: Sequence[Ended], files: Sequence[Going], digest: Digest
) -> tuple[End, str]:
    with speaking_to(user):
        notices = digest.said()
        about = subject(jobs, files, notices)
        text = body(jobs, files, notices, mail_on=user.mail_on, address=settings.PUBLIC_URL)
        made = message(about, text, user)
    try:
        mailer.open()
        mailer.send_messages([made])
    except smtplib.SMTPRecipientsRefused as exc:
        code, said = next(iter(exc.recipients.values()))
        return End.REFUSED if code in NO_SUCH_MAILBOX else End.LATER, f"{code} {said.decode(errors='replace')}"
    except (smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as exc:
        return End.LATER, str(exc)
    except ValueError as exc:
        # The address on the account is none: nothing that comes later will change that.
        return End.REFUSED, str(exc)
    except OSError as exc:
        return End.DOWN, repr(exc)
    return End.SENT, ""


@transaction.atomic
def _record(user: User, jobs: Sequence[Ended], files: Sequence[Going], digest: Digest, end: End, problem: str) -> None:
    """A refused mail is given up and noted on the account; the others are tried again, each time later."""
    if end in {End.LATER, End.DOWN}:
        wait = min(FIRST_BACKOFF * 2 ** min(user.mail_tries, 8), LAST_BACKOFF)
        User.objects.filter(pk=user.pk).update(mail_next_at=Now() + wait, mail_tries=F("mail_tries") + 1)
        return
    by_run = defaultdict(list)
    for job in jobs:
        by_run[job.run].append(job.id)
    for run, ids in by_run.items():
        # Not "the job's run": a retry may have begun the next meanwhile, and its end is news again.
        Job.objects.filter(pk__in=ids, told_run__lt=run).update(told_run=run)
    # Of a refused mail the pages tell, as of one that nobody could be sent.
    notice.record_told([file.id for file in files], by=notice.BY_MAIL if end == End.SENT else notice.BY_PAGE)
    record_mailed(user, digest)
    changes = {"mail_tries": 0, "mail_problem": problem[:500]}
    if end == End.REFUSED:
        changes["mail_next_at"] = Now() + AFTER_REFUSAL
    User.objects.filter(pk=user.pk).update(**changes)
