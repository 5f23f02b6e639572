"""What an event says about a scan that the storage made: a hint to look now, and the names of what was found.

The answer itself is read from the object by the examination, so an event that is lost, late, repeated or forged can
let nothing pass.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now
from jsonschema import Draft202012Validator

from orchestration.errors import EventRefused
from orchestration.models import Examination, File, FileEvent
from orchestration.models.upload import STORAGE
from orchestration.points import point
from orchestration.scanners.guardduty import FOUND, found
from orchestration.states import FileEventKind, ScanState
from orchestration.storage.registry import get_direct
from orchestration.tasks import nudge_examine

if TYPE_CHECKING:
    from collections.abc import Mapping

log = logging.getLogger(__name__)

SCAN_RESULT: Final = "GuardDuty Malware Protection Object Scan Result"
_TEXT: Final = {"type": "string", "minLength": 1, "maxLength": 1024}
_MAYBE: Final = {"type": ["string", "null"], "maxLength": 1024}
_THREAT: Final = {"type": "object", "required": ["name"], "properties": {"name": _TEXT}}
_FORM: Final = Draft202012Validator(
    {
        "type": "object",
        "required": ["id", "source", "account", "detail-type", "detail"],
        "properties": {
            "id": {"type": "string", "minLength": 1, "maxLength": 100},
            "source": {"const": "aws.guardduty"},
            "detail-type": {"const": SCAN_RESULT},
            "account": {"type": "string", "pattern": "^[0-9]{12}$"},
            "detail": {
                "type": "object",
                "required": ["s3ObjectDetails", "scanResultDetails"],
                "properties": {
                    "s3ObjectDetails": {
                        "type": "object",
                        "required": ["bucketName", "objectKey"],
                        "properties": {"bucketName": _TEXT, "objectKey": _TEXT, "versionId": _MAYBE},
                    },
                    "scanResultDetails": {
                        "type": "object",
                        "required": ["scanResultStatus"],
                        "properties": {
                            "scanResultStatus": _TEXT,
                            "threats": {"type": ["array", "null"], "maxItems": 1000, "items": _THREAT},
                        },
                    },
                },
            },
        },
    }
)


def record_scan_result(*, event: Mapping[str, Any]) -> bool:
    """Have the file it is about looked at now. Any number of times; False when there is no file that waits for it.

    Raises EventRefused for what is no such event, or one of another account or bucket.
    """
    about, key = _checked(event)
    recorded = _record(event["id"], key, about, event["detail"]["scanResultDetails"])
    point("events.recorded")
    if recorded:
        nudge_examine()
    return recorded


def _checked(event: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
    """Its object and our key of it, if the event has the form and is about our bucket."""
    wrong = next(_FORM.iter_errors(event), None)
    if wrong is not None:
        raise EventRefused(f"Not a scan result: {wrong.json_path} {wrong.message[:200]}")
    about: Mapping[str, Any] = event["detail"]["s3ObjectDetails"]
    bucket = get_direct(STORAGE)
    if bucket is None or about["bucketName"] != bucket.bucket:
        raise EventRefused(f"A scan result of bucket {about['bucketName']}, where we keep no uploads.")
    if event["account"] != settings.AWS_ACCOUNT:
        raise EventRefused(f"A scan result of account {event['account']}, which is not ours.")
    return about, bucket.key_of(about["objectKey"])


@transaction.atomic(durable=True)
def _record(event_id: str, key: str, about: Mapping[str, Any], result: Mapping[str, Any]) -> bool:
    """The pinned version only: of another one that lies under the same key nobody will ever read a byte."""
    files = File.objects.select_for_update(no_key=True)
    file = files.filter(storage=STORAGE, key=key, version=about.get("versionId") or "").first()
    if file is None:
        log.info("scan result of an object without a file", extra={"key": key})
        return False
    if names := ", ".join(threat["name"] for threat in result.get("threats") or ()):
        _name(file, event_id, found(names))
    return bool(Examination.objects.filter(pk=file.pk).update(not_before=Now()))


def _name(file: File, event_id: str, finding: str) -> None:
    """Keep the names, once for each event; the file's lock keeps two deliveries apart."""
    if FileEvent.objects.filter(file_id=file.pk, kind=FileEventKind.SCAN, data__event=event_id).exists():
        return
    file.event(FileEventKind.SCAN, reason=finding, data={"event": event_id, "finding": finding}).save()
    nameless = File.objects.filter(pk=file.pk, scan_state=ScanState.QUARANTINED, scan_detail=FOUND)
    nameless.update(scan_detail=finding)
