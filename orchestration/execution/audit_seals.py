"""Chaining what the audit log says, after it was said: writers wait for nobody, and one process at a time chains.

Entries are sealed in the order in which they are found, which is nearly that of their ids: one that commits late gets
a later position. What is not sealed yet is told by the verifier, with its age.
"""

from __future__ import annotations

import logging
from typing import Final

from django.db import IntegrityError, transaction

from orchestration.execution.leader import leading
from orchestration.models import AuditEntry, AuditSeal
from orchestration.models.audit import NO_DIGEST
from orchestration.points import point

log = logging.getLogger(__name__)

BATCH: Final = 500
# Longer ago than any transaction may last before the newest that is sealed, all are.
_UNSEALED: Final = """
SELECT entry.* FROM orchestration_auditentry entry
WHERE entry.id > coalesce((
    SELECT max(old.id) FROM orchestration_auditentry old
    WHERE old.at < (
      SELECT newest.at FROM orchestration_auditseal seal
      JOIN orchestration_auditentry newest ON newest.id = seal.entry_id
      ORDER BY seal.position DESC LIMIT 1
    ) - interval '10 minutes'), 0)
  AND NOT EXISTS (SELECT FROM orchestration_auditseal seal WHERE seal.entry_id = entry.id)
ORDER BY entry.id LIMIT %s"""


def seal() -> int:
    """The number of entries that were chained."""
    with leading("audit") as leader:
        sealed = 0
        while leader and (more := _seal_some()):
            sealed += more
            if more < BATCH or not leader.stay():
                break
        return sealed


def _seal_some() -> int:
    try:
        with transaction.atomic():
            last = _append()
    except IntegrityError:
        # Taken for dead, another has led meanwhile: a position is given once.
        log.info("audit sealed by another")
        return 0
    if last is None:
        return 0
    number, seal = last
    # The anchor: whoever keeps this line elsewhere can prove what the database said by then.
    log.info("audit sealed", extra={"entries": number, "anchor": str(seal)})
    return number


def _append() -> tuple[int, AuditSeal] | None:
    last = AuditSeal.objects.order_by("-position").first()
    position, digest = (last.position, last.digest) if last else (0, NO_DIGEST)
    seals = []
    for entry in AuditEntry.objects.raw(_UNSEALED, [BATCH]):
        position, digest = position + 1, entry.digest(digest)
        seals.append(AuditSeal(position=position, entry_id=entry.pk, digest=digest))
    AuditSeal.objects.bulk_create(seals)
    point("audit.sealed")
    return (len(seals), seals[-1]) if seals else None
