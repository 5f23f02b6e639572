"""The signed record of a run: what it says, who signs it, when, and that the command finds it good."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import zipfile
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from rocrate.rocrate import ROCrate

from api_app.client.cli import main
from orchestration.models import Job, Manifest, SigningKey
from orchestration.services import manifests
from orchestration.services.manifest_task import sign_manifests
from orchestration.services.statements import statement_of
from project import kept_secret
from tests.api.test_archives import result
from tests.factories import make_file, make_job

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_django import Settings

    from orchestration.models import User, Workspace
    from tests.api.door import Door, Visitor

pytestmark = pytest.mark.django_db


@pytest.fixture
def job(owner: User, lab: Workspace) -> Job:
    source = make_file(lab, owner, name="in.csv")
    job = make_job(owner, lab, state="SUCCEEDED", name="Night", inputs=[source], params={"rows": 5, "how": ["a", "b"]})
    result(job, "report.html", b"<h1>", media_type="text/html")
    result(job, "folder ü/1.txt", b"one", media_type="text/plain")
    return job


def statement(who: Visitor, job: Job) -> Any:
    envelope = who.json("GET", f"/jobs/{job.pk}/manifest")
    assert envelope["payloadType"] == "application/vnd.in-toto+json"
    return json.loads(base64.b64decode(envelope["payload"]))


def test_manifest_says_what_went_in_what_came_out_and_how(ana: Visitor, job: Job) -> None:
    said = statement(ana, job)
    assert (said["_type"], said["predicateType"]) == (
        "https://in-toto.io/Statement/v1",
        "https://slsa.dev/provenance/v1",
    )
    digests = {one["name"]: one["digest"]["sha256"] for one in said["subject"]}
    assert digests["report.html"] == hashlib.sha256(b"<h1>").hexdigest()
    assert set(digests) == {"report.html", "folder ü/1.txt", "ro-crate-metadata.json"}
    definition = said["predicate"]["buildDefinition"]
    assert definition["externalParameters"]["params"] == {"rows": 5, "how": ["a", "b"]}
    assert definition["internalParameters"]["state"] == "SUCCEEDED"
    kinds = {one["annotations"]["kind"]: one["digest"]["sha256"] for one in definition["resolvedDependencies"]}
    assert kinds["input"] == job.inputs.get().sha256
    assert kinds["pipeline"] == job.pipeline_version.digest
    assert said["predicate"]["runDetails"]["metadata"]["invocationId"] == f"{job.pk}-r1"


def test_manifest_is_for_who_may_see_the_job(bruno: Visitor, eva: Visitor, job: Job) -> None:
    assert bruno("GET", f"/jobs/{job.pk}/manifest").status_code == 200
    assert eva("GET", f"/jobs/{job.pk}/manifest").status_code == 404


def test_manifest_of_a_job_that_runs_is_not_there_yet(ana: Visitor, owner: User, lab: Workspace) -> None:
    running = make_job(owner, lab, state="RUNNING")
    result(running, "early.txt")
    assert ana.json("GET", f"/jobs/{running.pk}/manifest", 409)["code"] == "job_not_finished"
    archive = zipfile.ZipFile(io.BytesIO(ana("GET", f"/jobs/{running.pk}/results.zip").content))
    assert archive.namelist() == ["early.txt"]


def test_manifest_is_never_made_anew_but_each_run_has_its_own(ana: Visitor, job: Job) -> None:
    first = ana.json("GET", f"/jobs/{job.pk}/manifest")
    Job.objects.filter(pk=job.pk).update(name="Other", params={})
    assert ana.json("GET", f"/jobs/{job.pk}/manifest") == first
    Job.objects.filter(pk=job.pk).update(run=2)
    assert statement(ana, job)["predicate"]["buildDefinition"]["internalParameters"]["run"] == 2
    assert Manifest.objects.filter(job=job).count() == 2


def verified(path: Path, door: Door, *options: str) -> int:
    keys = path.with_name("keys.json")
    keys.write_text(door.send("GET", "/api/v1/signing-keys").text)
    return main(["verify", str(path), "--keys", str(keys), *options])


def test_archive_of_results_is_found_good_by_the_command(ana: Visitor, job: Job, tmp_path: Path) -> None:
    path = tmp_path / "all.zip"
    path.write_bytes(ana("GET", f"/jobs/{job.pk}/results.zip").content)
    assert verified(path, ana.door) == 0
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("more.txt", "x")
    assert verified(path, ana.door) == 1


def test_selection_of_results_is_found_good_as_a_part(ana: Visitor, job: Job, tmp_path: Path) -> None:
    one = job.outputs.get(name="report.html")
    path = tmp_path / "some.zip"
    path.write_bytes(ana("GET", f"/jobs/{job.pk}/results.zip?file={one.pk}").content)
    assert verified(path, ana.door) == 1
    assert verified(path, ana.door, "--partial") == 0


def test_crate_is_one_that_its_own_library_reads(ana: Visitor, job: Job, tmp_path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(ana("GET", f"/jobs/{job.pk}/results.zip").content)) as archive:
        archive.extractall(tmp_path / "crate")
    crate = ROCrate(tmp_path / "crate")
    assert crate.metadata.id == "ro-crate-metadata.json"
    assert crate.root_dataset["name"] == "Night"
    assert crate.root_dataset["datePublished"]
    names = {entity.id: entity for entity in crate.data_entities}
    assert set(names) == {"report.html", "folder%20%C3%BC/1.txt", "esteira-manifest.json"}
    assert names["report.html"]["sha256"] == hashlib.sha256(b"<h1>").hexdigest()
    (run,) = [entity for entity in crate.contextual_entities if entity.type == "CreateAction"]
    assert run["instrument"]["name"] == "noop"
    assert {one["name"] for one in run["object"]} == {"in.csv", "rows", "how"}
    assert {one.id for one in run["result"]} == {"report.html", "folder%20%C3%BC/1.txt"}
    crate.write(tmp_path / "again")  # finds each file that the crate names
    head = json.loads((tmp_path / "crate" / "ro-crate-metadata.json").read_text())
    assert head["@context"] == "https://w3id.org/ro/crate/1.2/context"
    known = {entity["@id"] for entity in head["@graph"]}
    assert len(known) == len(head["@graph"]), "two entities of one @id"
    referred = {one["@id"] for e in head["@graph"] for v in e.values() for one in (v if isinstance(v, list) else [v])
                if isinstance(one, dict)}  # fmt: skip
    assert referred - known == {"https://w3id.org/ro/crate/1.2"}


def test_jobs_that_ended_are_signed_without_anybody_asking(owner: User, lab: Workspace, job: Job) -> None:
    make_job(owner, lab, state="RUNNING")
    make_job(owner, lab, state="FAILED", finished_at=timezone.now() - timedelta(days=3))
    failed = make_job(owner, lab, state="FAILED")
    sign_manifests()
    sign_manifests()
    assert set(Manifest.objects.values_list("job", flat=True)) == {job.pk, failed.pk}


def test_job_that_cannot_be_signed_keeps_no_other_from_it(
    owner: User, lab: Workspace, job: Job, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    odd = make_job(owner, lab, state="FAILED", finished_at=timezone.now() - timedelta(hours=1))

    def told(one: Job) -> Any:
        if one == odd:
            raise ValueError("nobody thought of this")
        return statement_of(one)

    monkeypatch.setattr(manifests, "statement_of", told)
    monkeypatch.setattr(manifests, "BATCH", 1)
    sign_manifests()
    assert set(Manifest.objects.values_list("job", flat=True)) == {job.pk}
    assert "nobody thought of this" in caplog.text


def test_keys_are_there_for_anybody_also_those_that_sign_no_more(
    door: Door, ana: Visitor, job: Job, settings: Settings, tmp_path: Path
) -> None:
    path = tmp_path / "all.zip"
    path.write_bytes(ana("GET", f"/jobs/{job.pk}/results.zip").content)
    (old,) = door.send("GET", "/api/v1/signing-keys").json()["keys"]
    assert (old["retired_at"], old["kty"], old["crv"]) == (None, "OKP", "Ed25519")
    settings.SIGNING_KEY = kept_secret.new_signing_key()
    new, again = door.send("GET", "/api/v1/signing-keys").json()["keys"]
    assert (again["kid"], new["retired_at"]) == (old["kid"], None)
    assert again["retired_at"]
    assert "PRIVATE" not in json.dumps([new, again])
    assert verified(path, door) == 0
    call_command("signing_keys", revoke=old["kid"][:10], reason="stolen")
    assert verified(path, door) == 1


def test_revoked_key_that_is_still_set_signs_nothing_more(
    door: Door, ana: Visitor, job: Job, settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (key,) = door.send("GET", "/api/v1/signing-keys").json()["keys"]
    call_command("signing_keys", revoke=key["kid"], reason="stolen")
    sign_manifests()
    assert "no manifest is signed" in caplog.text
    refused = ana("GET", f"/jobs/{job.pk}/manifest")
    assert (refused.status_code, refused.json()["code"]) == (503, "signing_key_revoked")
    assert "ESTEIRA_SIGNING_KEY" in refused.json()["detail"]
    path = tmp_path / "all.zip"
    path.write_bytes(ana("GET", f"/jobs/{job.pk}/results.zip").content)
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    assert names
    assert "esteira-manifest.json" not in names
    settings.SIGNING_KEY = kept_secret.new_signing_key()
    assert ana("GET", f"/jobs/{job.pk}/manifest").status_code == 200


def test_key_is_revoked_by_its_name_and_with_a_reason(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("signing_keys")
    assert "signs since" in capsys.readouterr().out
    key = SigningKey.objects.get()
    for options in ({"revoke": key.pk}, {"revoke": "nonsense", "reason": "x"}, {"revoke": "", "reason": "x"}):
        with pytest.raises(CommandError):
            call_command("signing_keys", **options)
    key.refresh_from_db()
    assert key.revoked_at is None
