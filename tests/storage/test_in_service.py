"""What the platform does with files in buckets: sent on to, pinned, shared, swept, destroyed with all versions."""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import connection, connections
from django.utils import timezone

from orchestration import crc64
from orchestration.errors import Invalid, SendDirectly, StorageUnavailable
from orchestration.execution import abandoned, examine, finishing, isolation, orphans, retention
from orchestration.execution.dispatch import dispatch
from orchestration.models import Examination, File, Upload
from orchestration.models.file import UNDELETE
from orchestration.services import runner
from orchestration.services.receiving import Announced, receive
from orchestration.services.uploads.complete import complete
from orchestration.services.uploads.create import Wanted, create_upload
from orchestration.services.uploads.signing import WantedPart, sign_parts
from orchestration.services.work_orders import work_order
from orchestration.states import ScanState, UploadState
from orchestration.storage.registry import get_storage
from project.stack.headers import SecurityHeaders
from tests.factories import make_file
from tests.frontend.ask import fetch
from tests.orchestration.play import end, holder, lease, submitted
from tests.s3_double.fixtures import BUCKET, client_for
from tests.s3_double.platform import on_buckets

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_django import Settings

    from orchestration.models import Attempt, User, Workspace
    from orchestration.storage.s3 import S3DirectStorage
    from tests.s3_double.server import S3Double

pytestmark = pytest.mark.django_db
DATA = bytes(range(256)) * 10
PART = 1_000


@pytest.fixture(autouse=True)
def buckets(s3: S3Double, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3DirectStorage]:
    """Uploads and results lie in a bucket, by the settings that an administrator would write."""
    s3.rules.min_part_size = PART
    monkeypatch.setattr("orchestration.services.uploads.limits.PART_SIZE", PART)
    with on_buckets(s3, settings, monkeypatch) as storage:
        yield storage


def put(signed: Any, data: bytes) -> None:
    assert httpx.put(signed.url, headers=signed.headers, content=data, trust_env=False).status_code == 200


def crc(data: bytes) -> str:
    return crc64.to_text(crc64.update(data))


def sent(user: User, data: bytes = DATA, name: str = "a.bin") -> Upload:
    """Everything is there; nobody has completed it."""
    upload, _ = create_upload(user=user, wanted=Wanted(name, len(data)), workspace="lab")
    size = upload.part_size
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    wanted = [WantedPart(n, crc(piece)) for n, piece in enumerate(pieces, 1)]
    for signed, piece in zip(sign_parts(upload=upload, parts=wanted), pieces, strict=True):
        put(signed, piece)
    return upload


def kept(user: User, data: bytes = DATA, name: str = "a.bin") -> File:
    """Completed and examined."""
    upload = complete(user=user, upload=sent(user, data, name))
    if upload.state == UploadState.COMPLETING:
        finishing.finish_later(upload.pk)
    assert examine.examine_due()
    return File.objects.get(upload=upload)


def versions(s3: S3Double) -> list[str]:
    page = client_for(s3).list_object_versions(Bucket=BUCKET)
    return [one["VersionId"] for one in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]]


def test_parts_are_joined_by_the_worker_and_not_by_the_request(owner: User, s3: S3Double) -> None:
    upload = sent(owner)
    assert complete(user=owner, upload=upload).state == UploadState.COMPLETING
    assert complete(user=owner, upload=upload).state == UploadState.COMPLETING
    assert not s3.ledger.of("CompleteMultipartUpload")
    finishing.finish_later(upload.pk)
    done = complete(user=owner, upload=Upload.objects.get(pk=upload.pk))
    assert done.state == UploadState.COMPLETE
    assert (done.file.size, done.file.crc64nvme) == (len(DATA), crc(DATA))
    assert done.file.version in versions(s3)


def test_who_looks_while_the_parts_are_joined_sees_the_file(owner: User) -> None:
    """The parts are gone because they were joined, not because somebody dropped them."""
    upload = sent(owner)
    late = Upload.objects.select_related("workspace").get(pk=upload.pk)
    finishing.finish_later(complete(user=owner, upload=upload).pk)
    assert late.state == UploadState.OPEN
    assert complete(user=owner, upload=late).state == UploadState.COMPLETE


def test_one_worker_at_a_time_joins_an_upload(owner: User, s3: S3Double, monkeypatch: pytest.MonkeyPatch) -> None:
    upload = complete(user=owner, upload=sent(owner))
    other = connections.create_connection("default")
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(isolation, "connection", other)
        with isolation.alone(f"upload/{upload.pk}") as mine:
            assert mine
            elsewhere.setattr(isolation, "connection", connection)
            finishing.finish_later(upload.pk)
            assert not s3.ledger.of("CompleteMultipartUpload")
            elsewhere.setattr(isolation, "connection", other)
    other.close()
    finishing.finish_later(upload.pk)
    assert Upload.objects.get(pk=upload.pk).state == UploadState.COMPLETE


def test_storage_that_is_busy_is_asked_again_by_the_sweep(owner: User, s3: S3Double) -> None:
    upload = complete(user=owner, upload=sent(owner))
    s3.faults.throttle(calls=3)
    finishing.finish_later(upload.pk)
    assert Upload.objects.get(pk=upload.pk).state == UploadState.COMPLETING
    Upload.objects.update(touched_at=timezone.now() - abandoned.SILENT * 2)
    assert abandoned.finish_silent() == 1
    assert Upload.objects.get(pk=upload.pk).state == UploadState.COMPLETE


def test_kill_after_the_join_is_healed_to_the_same_version(
    owner: User, s3: S3Double, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = complete(user=owner, upload=sent(owner))

    def killed(_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(finishing, "_record", killed)
        with pytest.raises(KeyboardInterrupt):
            finishing.finish_later(upload.pk)
    (version,) = versions(s3)
    finishing.finish_later(upload.pk)
    assert File.objects.get(upload=upload).version == version


def test_parts_that_somebody_dropped_end_the_upload_with_a_sentence(
    owner: User, buckets: S3DirectStorage, s3: S3Double
) -> None:
    upload = sent(owner)
    buckets.abort(upload.key, upload.multipart_id)
    with pytest.raises(Exception, match="parts are gone from the object storage"):
        complete(user=owner, upload=upload)
    assert Upload.objects.get(pk=upload.pk).state == UploadState.FAILED


def test_no_byte_in_one_request(owner: User) -> None:
    with pytest.raises(SendDirectly, match="POST /api/v1/uploads"):
        receive(user=owner, announced=Announced("a.bin", size=1), workspace="lab")


def test_examination_reads_the_pinned_version_and_waits_for_a_busy_storage(
    owner: User, s3: S3Double, buckets: S3DirectStorage
) -> None:
    upload = complete(user=owner, upload=sent(owner))
    finishing.finish_later(upload.pk)
    file = File.objects.get(upload=upload)
    assert (file.scan_state, file.sha256) == (ScanState.RECEIVED, "")
    client_for(s3).put_object(Bucket=BUCKET, Key=buckets.place.full(file.key), Body=b"somebody else's")
    s3.faults.throttle(calls=3)
    assert examine.examine_due() == 0
    assert "come back later" in Examination.objects.get().reason
    Examination.objects.update(not_before=timezone.now())
    assert examine.examine_due() == 1
    file.refresh_from_db()
    assert (file.scan_state, file.sha256) == (ScanState.CLEAN, sha256(DATA).hexdigest())


def test_page_sends_on_to_the_bucket_whoever_may_see_the_file(owner: User, stranger: User, s3: S3Double) -> None:
    file = kept(owner, name="r.html")
    s3.ledger.clear()
    got = fetch(owner, f"/files/{file.pk}/content")
    assert (got.status, got.body, got.headers["Cache-Control"]) == (302, b"", "no-store")
    address = got.headers["Location"]
    answer = httpx.get(address, trust_env=False)
    assert answer.content == DATA
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"] == 'attachment; filename="r.html"'
    refused = fetch(stranger, f"/files/{file.pk}/content")
    assert refused.status == 404
    assert "Location" not in refused.headers
    assert s3.ledger.count() == 1, "only the reader's own call"


def test_page_shows_what_lies_in_a_bucket_only_inside_of_a_frame_where_nothing_runs(owner: User, s3: S3Double) -> None:
    text = kept(owner, b"a line\nand another\n", "a.txt")
    got = fetch(owner, f"/files/{text.pk}/preview")
    policy = got.headers["Content-Security-Policy"]
    assert got.status == 200
    assert policy.startswith("sandbox; default-src 'none'")
    assert f"frame-src {s3.endpoint};" in policy
    assert b'<iframe sandbox="" referrerpolicy="no-referrer" src="' + s3.endpoint.encode() in got.body
    File.objects.filter(pk=text.pk).update(media_type="image/png")
    image = fetch(owner, f"/files/{text.pk}/preview")
    assert image.status == 302
    assert httpx.get(image.headers["Location"], trust_env=False).headers["content-type"] == "image/png"
    File.objects.filter(pk=text.pk).update(media_type="text/plain", size=(1 << 20) + 1)
    assert fetch(owner, f"/files/{text.pk}/preview").status == 404, "too long to be shown whole"


def test_pages_may_send_to_the_bucket_and_to_nowhere_else(s3: S3Double) -> None:
    csp = SecurityHeaders(lambda *_: None)._csp.decode()  # type: ignore[arg-type]
    assert f"connect-src 'self' {s3.endpoint};" in csp
    assert f"img-src 'self' {s3.endpoint} data:" in csp
    assert "script-src 'self';" in csp


def test_logs_that_could_not_grow_are_refused_at_the_start(settings: Settings) -> None:
    call_command("check")
    settings.STORAGES = {**settings.STORAGES, "logs": settings.STORAGES["uploads"]}
    with pytest.raises(SystemCheckError, match="Logs grow at their end"):
        call_command("check")


def test_file_that_was_copied_to_the_bucket_from_a_disk_is_served(owner: User, lab: Workspace) -> None:
    file = make_file(lab, owner, data=b"0123456789")
    assert file.version == ""
    address = fetch(owner, f"/files/{file.pk}/content").headers["Location"]
    assert httpx.get(address, trust_env=False).content == b"0123456789"


@pytest.fixture
def attempt(owner: User, lab: Workspace) -> Attempt:
    submitted(owner, files=(kept(owner),))
    dispatch()
    (leased,) = lease()
    return leased


def test_step_reads_the_pinned_version_and_its_outputs_are_pinned(
    attempt: Attempt, s3: S3Double, buckets: S3DirectStorage
) -> None:
    order = work_order(runner.begin(holder=holder(attempt)))
    (given,) = order["inputs"]
    file = File.objects.get(pk=given["index"]["file_id"])
    client_for(s3).put_object(Bucket=BUCKET, Key=buckets.place.full(file.key), Body=b"somebody else's")
    assert httpx.get(given["url"], trust_env=False).content == DATA

    digest = sha256(b"hello").hexdigest()
    (slot,) = runner.output_slots(holder=holder(attempt), files=[(5, digest)])
    output = {"path": "a.txt", "size": 5, "sha256": digest, "media_type": "text/plain"}
    with pytest.raises(Invalid, match=r"a\.txt"):
        end(attempt, outputs=[output])
    assert httpx.put(slot.url, headers=slot.headers, content=b"hello", trust_env=False).status_code == 200
    end(attempt, outputs=[output])
    result = File.objects.get(attempt_id=attempt.pk)
    assert result.version
    with get_storage("results").open(result.key, result.version) as source:
        assert source.read() == b"hello"


def test_output_that_no_put_takes_is_refused_for_good(attempt: Attempt) -> None:
    runner.begin(holder=holder(attempt))
    with pytest.raises(Invalid, match="5GiB at once"):
        runner.output_slots(holder=holder(attempt), files=[((5 << 30) + 1, "0" * 64)])


def test_end_of_an_attempt_waits_for_a_storage_that_is_down(attempt: Attempt, s3: S3Double) -> None:
    runner.begin(holder=holder(attempt))
    s3.faults.throttle(calls=3)
    output = {"path": "a.txt", "size": 5, "sha256": "0" * 64, "media_type": "text/plain"}
    with pytest.raises(StorageUnavailable):
        end(attempt, outputs=[output])
    attempt.refresh_from_db()
    assert attempt.state == "RUNNING"


def test_equal_files_share_one_version_and_the_last_destroys_it(
    owner: User, s3: S3Double, django_capture_on_commit_callbacks: Any
) -> None:
    first = kept(owner, name="1.bin")
    with django_capture_on_commit_callbacks(execute=True):
        second = kept(owner, name="2.bin")
    assert (second.key, second.version) == (first.key, first.version)
    assert versions(s3) == [first.version], "the spare one is gone with its version"
    past = timezone.now() - UNDELETE - timedelta(days=1)
    for file, left in ((first, [first.version]), (second, [])):
        File.objects.filter(pk=file.pk).update(deleted_at=past)
        assert retention.purge_files() == 1
        assert versions(s3) == left


def test_sweep_takes_what_no_row_knows_and_leaves_the_rest(
    owner: User, lab: Workspace, s3: S3Double, buckets: S3DirectStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = kept(owner)
    upload = sent(owner, b"x" * (PART + 1), "b.bin")
    forgotten = make_file(lab, owner)
    File.objects.filter(pk=forgotten.pk).delete()
    lost = buckets.begin("w/aa/1", content_type="")
    monkeypatch.setattr(orphans, "ORPHAN_AGE", timedelta(seconds=-60))
    monkeypatch.setattr(abandoned, "ORPHAN_AGE", timedelta(seconds=-60))
    assert orphans.sweep_storage() == 1
    assert versions(s3) == [file.version]
    assert abandoned.sweep_incoming() == 1
    assert [multipart for _, multipart in buckets.unfinished(timedelta(seconds=-60))] == [upload.multipart_id]
    assert lost != upload.multipart_id
