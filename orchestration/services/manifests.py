"""The signed record of each run: made soon after its end, at the latest when somebody asks, and never anew."""

from __future__ import annotations

import hashlib
import json
import logging
from contextlib import nullcontext
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef
from django.db.models.functions import Now

from orchestration import dsse, going, tracing
from orchestration.crate import crate_of
from orchestration.errors import JobNotFinished, NotFound, SigningKeyRevoked
from orchestration.execution.isolation import one_at_a_time
from orchestration.models import Job, Manifest, SigningKey
from orchestration.models.traced import job_place
from orchestration.services.results import CRATE, MANIFEST
from orchestration.services.statements import statement_of
from orchestration.states import JOB_FINISHED

if TYPE_CHECKING:
    from uuid import UUID

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from django.db.models import QuerySet

log = logging.getLogger(__name__)
LOOKS_BACK: Final = timedelta(days=1)
"""Jobs that ended before, and have none, get theirs when somebody asks."""
BATCH: Final = 100
MOST_UNSIGNED: Final = 100
"""Jobs of one sweep that cannot be signed: more of them are not their own trouble."""


def manifest_of(*, job: Job) -> Manifest:
    """Of the job's present run. Raises JobNotFinished while it may still change, and SigningKeyRevoked."""
    made = Manifest.objects.filter(job=job, run=job.run).first()
    return made or _sign(job)


def sign_due() -> None:
    """For jobs that ended of late and have none. One that cannot be signed keeps no other from it."""
    try:
        _key_that_counts()
    except SigningKeyRevoked as exc:
        log.error("no manifest is signed", extra={"error": str(exc)})  # noqa: TRY400  nothing but the sentence helps
        return
    signed = Manifest.objects.filter(job=OuterRef("pk"), run=OuterRef("run"))
    ended = Job.objects.filter(state__in=JOB_FINISHED, finished_at__gt=Now() - LOOKS_BACK)
    due = ended.filter(~Exists(signed)).order_by("finished_at")
    due = due.select_related("pipeline_version__pipeline", "workspace", "created_by")
    unsigned: list[UUID] = []
    while (
        not going.is_told() and len(unsigned) < MOST_UNSIGNED and (jobs := list(due.exclude(pk__in=unsigned)[:BATCH]))
    ):
        for job in going.while_not_told(jobs):
            unsigned.append(job.pk)
            with one_at_a_time(job.pk):
                _sign_ended(job)
                unsigned.remove(job.pk)


def _sign_ended(job: Job) -> None:
    try:
        manifest_of(job=job)
    except JobNotFinished:
        # Retried between the look and here: its next end is signed.
        log.info("manifest not due any more", extra={"job_id": str(job.pk)})


def _sign(job: Job) -> Manifest:
    place = job_place(job)
    with tracing.span("sign the manifest", under=place) if place else nullcontext():
        return _record(job, _key_that_counts())


@transaction.atomic(durable=True)
def _record(job: Job, key: Ed25519PrivateKey) -> Manifest:
    """Under the job's lock: a retry waits, so that what is signed is one run's and all of it."""
    locked = Job.objects.select_for_update(no_key=True, of=("self",)).get(pk=job.pk)
    if not locked.is_finished:
        raise JobNotFinished("The manifest is signed when the job has finished. It has not.")
    made = Manifest.objects.filter(job=locked, run=locked.run).first()
    if made is not None:
        return made
    envelope, crate = _documents(locked, key)
    row = Manifest.objects.create(
        job=locked, run=locked.run, key_id=dsse.key_id(key.public_key()), envelope=envelope, crate=crate
    )
    row.refresh_from_db(fields=["created_at"])
    return row


def _documents(job: Job, key: Ed25519PrivateKey) -> tuple[str, str]:
    statement = statement_of(job)
    name = job.name or f"{job.pipeline_version.pipeline.name} {job.pk}"
    crate = _written(crate_of(statement, name=name, descriptor=CRATE, manifest=MANIFEST), indent=1)
    # Made of the statement, and then covered by it as every other file.
    about = {"size": len(crate.encode()), "mediaType": "application/ld+json"}
    digest = hashlib.sha256(crate.encode()).hexdigest()
    statement["subject"].append({"name": CRATE, "digest": {"sha256": digest}, "annotations": about})
    return _written(dsse.signed(_written(statement).encode(), key)), crate


def _written(document: Any, indent: int | None = None) -> str:
    return json.dumps(document, ensure_ascii=False, sort_keys=True, indent=indent)


@cache
def _key(pem: str) -> Ed25519PrivateKey:
    return dsse.private_key(pem)


def _key_that_counts() -> Ed25519PrivateKey:
    """Raises SigningKeyRevoked: what it signed would be refused by everybody who checks."""
    key = _key(settings.SIGNING_KEY)
    _register(key)
    if SigningKey.objects.filter(pk=dsse.key_id(key.public_key()), revoked_at__isnull=False).exists():
        raise SigningKeyRevoked
    return key


def _register(key: Ed25519PrivateKey) -> None:
    """Before anything is signed with it: whoever reads a signature finds the key. The one before it is retired."""
    public = key.public_key()
    own = dsse.key_id(public)
    if SigningKey.objects.filter(pk=own).exists():
        return
    raw = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
    with transaction.atomic(durable=True):
        SigningKey.objects.bulk_create([SigningKey(id=own, public_key=raw)], ignore_conflicts=True)
        SigningKey.objects.filter(retired_at__isnull=True).exclude(pk=own).update(retired_at=Now())


def public_keys() -> QuerySet[SigningKey]:
    """All that have ever signed here, the newest first. The present one is among them before it has signed."""
    _register(_key(settings.SIGNING_KEY))
    return SigningKey.objects.order_by(F("created_at").desc(), "pk")


def revoke_key(*, key_id: str, reason: str) -> SigningKey:
    """Nothing that it has signed counts from now on. For a key that somebody else may have."""
    found = SigningKey.objects.filter(pk__startswith=key_id) if key_id else SigningKey.objects.none()
    rows = list(found[:2])
    if len(rows) != 1:
        raise NotFound(f"{'More than one' if rows else 'No'} signing key begins with {key_id!r}.")
    SigningKey.objects.filter(pk=rows[0].pk, revoked_at__isnull=True).update(
        revoked_at=Now(), revoked_reason=reason[:500]
    )
    rows[0].refresh_from_db()
    return rows[0]
