"""Links that show some results to whoever has them: made, listed, taken back, and what a visitor may do."""

from __future__ import annotations

import hashlib
import logging
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.contrib.auth.hashers import check_password, make_password
from django.core import signing
from django.db import transaction
from django.db.models.functions import Now

from orchestration.errors import Forbidden, Invalid, JobNotFinished, NotFound, TooManyPasswords
from orchestration.models import File, SharedFile, ShareLink
from orchestration.models.audit import write_audit
from orchestration.services.access import require_role
from orchestration.services.archives import chosen_archive
from orchestration.services.results import names_of
from orchestration.states import AuditAction, Role, ScanState

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from orchestration.models import Job, User
    from orchestration.models.share import ShareLinkQuerySet
    from orchestration.services.archives import Archive

log = logging.getLogger(__name__)
KEY_BYTES: Final = 32
LEAST_PASSWORD: Final = 8
MOST_PASSWORD: Final = 128
MOST_DOWNLOADS: Final = 1_000_000
SALT: Final = "esteira.share"
OPEN_FOR_S: Final = 12 * 3600
GONE: Final = "This link leads nowhere: it has expired, was taken back or used up, or is not all of it."


@dataclass(frozen=True, slots=True)
class Terms:
    """Without `files`: all results that the job has now."""

    days: int
    files: tuple[UUID, ...] = ()
    name: str = ""
    password: str = ""
    max_downloads: int | None = None
    has_manifest: bool = False


def create_share(*, user: User, job: Job, terms: Terms) -> tuple[ShareLink, str]:
    """The link and its address on this platform, which is said this once: the key in it is kept nowhere."""
    require_role(user=user, workspace=job.workspace, role=Role.SUBMITTER)
    _check(terms)
    if terms.has_manifest and not job.is_finished:
        raise JobNotFinished("A running job has no manifest yet. Share its results without it, or wait for its end.")
    files = _files_to_share(job, terms.files)
    key = secrets.token_urlsafe(KEY_BYTES)
    share = ShareLink(
        workspace=job.workspace,
        job=job,
        name=terms.name.strip()[:200],
        key_hash=_hash(key),
        password=make_password(terms.password) if terms.password else "",
        has_manifest=terms.has_manifest,
        max_downloads=terms.max_downloads,
        created_by=user,
        expires_at=Now() + timedelta(days=terms.days),
    )
    with transaction.atomic(durable=True):
        share.save(force_insert=True)
        SharedFile.objects.bulk_create([SharedFile(share=share, file_id=pk) for pk in files], batch_size=2_000)
        after = {"job": job.pk, "files": len(files), "days": terms.days, "max_downloads": terms.max_downloads}
        after |= {"has_password": bool(terms.password), "has_manifest": terms.has_manifest}
        _audit(AuditAction.SHARE_CREATED, share, by=user, after=after)
    share.refresh_from_db()
    log.info("share made", extra={"share_id": str(share.pk), "job_id": str(job.pk), "user_id": str(user.pk)})
    return share, f"{settings.PUBLIC_URL}/s/{share.pk}/?key={key}"


def _check(terms: Terms) -> None:
    most = settings.SHARE_MAX_DAYS
    if not most:
        raise Forbidden("Sharing by links is switched off on this server.")
    if not 1 <= terms.days <= most:
        raise Invalid(f"A link lasts 1 to {most} days.")
    if terms.password and not LEAST_PASSWORD <= len(terms.password) <= MOST_PASSWORD:
        raise Invalid(f"A link's password has {LEAST_PASSWORD} to {MOST_PASSWORD} characters.")
    if terms.max_downloads is not None and not 1 <= terms.max_downloads <= MOST_DOWNLOADS:
        raise Invalid(f"A link lets files be fetched 1 to {MOST_DOWNLOADS:,} times, or without a limit.")


def _files_to_share(job: Job, ids: Sequence[UUID]) -> list[UUID]:
    there = set(File.objects.results().filter(job=job).values_list("pk", flat=True))
    if missing := next((pk for pk in ids if pk not in there), None):
        raise NotFound(f"This job has no result {missing}.")
    if not there:
        raise Invalid("This job has no results to share.")
    return list(dict.fromkeys(ids)) or sorted(there)


def shares_of(*, job: Job) -> ShareLinkQuerySet:
    """The newest first, also those that are over."""
    found: ShareLinkQuerySet = ShareLink.objects.filter(job=job).select_related("created_by", "revoked_by")
    return found.order_by("-pk")


def find_own_share(*, user: User, share_id: UUID) -> ShareLink:
    found: ShareLink | None = (
        ShareLink.objects.visible_to(user).select_related("workspace", "job").filter(pk=share_id).first()
    )
    if found is None:
        raise NotFound("There is no such link that you may see.")
    return found


@transaction.atomic(durable=True)
def revoke_share(*, user: User, share: ShareLink) -> ShareLink:
    """Nobody gets anything by it from now on. Any number of times."""
    require_role(user=user, workspace=share.workspace, role=Role.SUBMITTER)
    if ShareLink.objects.filter(pk=share.pk, revoked_at__isnull=True).update(revoked_at=Now(), revoked_by=user):
        _audit(AuditAction.SHARE_REVOKED, share, by=user)
        log.info("share revoked", extra={"share_id": str(share.pk), "user_id": str(user.pk)})
    share.refresh_from_db()
    return share


def find_share(*, share_id: UUID, key: str) -> ShareLink:
    """For a visitor. Whatever is wrong with it: NotFound, with one sentence."""
    found: ShareLink | None = ShareLink.objects.good().filter(pk=share_id).select_related("job", "workspace").first()
    if found is None or not secrets.compare_digest(bytes(found.key_hash), _hash(key)):
        raise NotFound(GONE)
    return found


def unlock(*, share: ShareLink, password: str) -> str | None:
    """What a visitor shows from now on instead of the password; None: it was wrong. Raises TooManyPasswords."""
    mine = ShareLink.objects.filter(pk=share.pk)
    if not mine.take_try():
        raise TooManyPasswords
    if len(password) > MOST_PASSWORD or not check_password(password, share.password):
        return None
    mine.update(tries=0)
    return signing.dumps(_proof(share), salt=SALT)


def is_unlocked(*, share: ShareLink, shown: str) -> bool:
    if not share.password:
        return True
    try:
        return bool(signing.loads(shown, salt=SALT, max_age=OPEN_FOR_S) == _proof(share))
    except signing.BadSignature:
        return False


def _proof(share: ShareLink) -> list[str]:
    return [str(share.pk), hashlib.sha256(share.password.encode()).hexdigest()[:16]]


def shared_files(share: ShareLink) -> list[tuple[File, str]]:
    """Those that are still there, with their names among all results."""
    there = share.files.filter(deleted_at__isnull=True, superseded_at__isnull=True, scan_state=ScanState.CLEAN)
    found = {file.pk: file for file in there}
    return [(found[pk], name) for pk, name in names_of(share.job).items() if pk in found]


def take_file(*, share: ShareLink, file_id: UUID) -> tuple[File, str]:
    """One of the files and its name, counted as a download. Raises NotFound."""
    found = next(((file, name) for file, name in shared_files(share) if file.pk == file_id), None)
    if found is None:
        raise NotFound(GONE)
    count_download(share)
    return found


def shared_archive(*, share: ShareLink) -> Archive:
    """All of its files; not yet counted: `count_download` does, when it is sent."""
    return chosen_archive(job=share.job, chosen=shared_files(share), has_papers=share.has_manifest)


@transaction.atomic
def count_download(share: ShareLink) -> None:
    if not ShareLink.objects.filter(pk=share.pk).take_download():
        raise NotFound(GONE)
    _audit(AuditAction.SHARE_USED, share, by=None, after={"job": share.job_id})
    log.info("share used", extra={"share_id": str(share.pk)})


def _audit(action: AuditAction, share: ShareLink, *, by: User | None, **said: Any) -> None:
    write_audit(action, by=by, workspace=share.workspace, about=share, name=share.name, **said)


def _hash(key: str) -> bytes:
    """256 bits of chance need no slow hash."""
    return hashlib.sha256(key.encode(errors="surrogatepass")).digest()
