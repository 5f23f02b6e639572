"""The code of pipelines in a bucket: steps that run elsewhere are told no folder of this machine."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import httpx
import pytest
from django.core.management import call_command

from orchestration import checks
from orchestration.engines.registry import get_engine
from orchestration.errors import Invalid
from orchestration.execution.dispatch import dispatch
from orchestration.models import Attempt, File, Job, JobInput, PipelineVersion
from orchestration.services import pipelines, runner
from orchestration.services.claims import Container, StepRight, claim
from orchestration.services.jobs import Request, submit
from orchestration.services.runner import Holder, read_token
from orchestration.services.tasks.versions import version_for
from orchestration.services.work_orders import work_order
from orchestration.states import JobState
from orchestration.storage.registry import get_storage
from project.management.commands.check_storage import look
from tests.engines.test_definition import CELL
from tests.factories import make_file, publish_pipeline
from tests.grants.plugin import RECORD
from tests.pipelines.corpus_files import CORPUS
from tests.pipelines.test_definitions import RUNS
from tests.s3_double.fixtures import BUCKET, client_for
from tests.s3_double.platform import on_buckets
from tests.storage.test_in_service import kept

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_django import Settings

    from orchestration.models import User, Workspace
    from orchestration.services.claims import Claim
    from orchestration.storage.s3 import S3DirectStorage
    from tests.s3_double.server import S3Double

pytestmark = pytest.mark.django_db

OUTPUT: Final = b"hello"
CODE: Final = "arn:aws:s3:::${results_bucket}/${code_folder}/*"
KEPT_FOR_A_WHILE: Final = {
    "ID": "retention",
    "Status": "Enabled",
    "Filter": {"Prefix": ""},
    "Expiration": {"Days": 1826},
}


@pytest.fixture
def buckets(s3: S3Double, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3DirectStorage]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with on_buckets(s3, settings, monkeypatch) as storage:
        yield storage


@pytest.fixture
def elsewhere(settings: Settings) -> Iterator[None]:
    """What is claimed from here on runs on machines of AWS. Attempts are written without asking anybody there."""
    get_engine.cache_clear()
    settings.ENGINE, settings.AWS_CELL = "aws", asdict(CELL)
    yield
    get_engine.cache_clear()


def dispatched(settings: Settings, owner: User, version: PipelineVersion, file: File, **params: Any) -> Job:
    engine, settings.ENGINE = settings.ENGINE, "local"
    job, _ = submit(user=owner, request=Request(str(version), (file.pk,), params))
    dispatch()
    settings.ENGINE = engine
    job.refresh_from_db()
    return job


def claimed(job: Job, step: str) -> tuple[Holder, Attempt]:
    given: Claim = claim(right=StepRight.of(job, step, per_child=1), container=Container(f"{step}:0", 1, 0))
    return (who := read_token(given.token)), runner.begin(holder=who)


def left(who: Holder) -> str:
    """Its one output is where it was told to put it; the address."""
    digest = hashlib.sha256(OUTPUT).hexdigest()
    (slot,) = runner.output_slots(holder=who, files=[(len(OUTPUT), digest)])
    assert httpx.put(slot.url, headers=slot.headers, content=OUTPUT, trust_env=False).is_success
    output = {"path": "a.txt", "size": len(OUTPUT), "sha256": digest, "media_type": "text/plain"}
    runner.finish(holder=who, outcome="succeeded", outputs=[output])
    return slot.url


@pytest.mark.parametrize("name", RUNS)
def test_no_step_of_a_built_in_pipeline_is_told_a_folder_of_this_machine(
    owner: User, lab: Workspace, buckets: S3DirectStorage, elsewhere: None, settings: Settings, name: str
) -> None:
    *steps, path, _ = RUNS[name]
    versions = {version.pipeline.name: version for version in pipelines.publish_built_ins()}
    assert set(versions) == set(RUNS)
    version = versions[name]
    job = dispatched(settings, owner, version, kept(owner, (CORPUS / path).read_bytes(), path.rpartition("/")[2]))
    for step in steps:
        who, attempt = claimed(job, step)
        order = work_order(attempt)
        told = [order["code"]["url"], *(entry["url"] for entry in order["inputs"]), left(who)]
        assert len(told) == 3
        assert {url.partition("?")[0].partition(BUCKET)[0] for url in told} == {f"{buckets.origin}/"}
        assert "file:" not in json.dumps(order)
        assert str(settings.ESTEIRA_HOME / "storage") not in json.dumps(order)
        code = httpx.get(order["code"]["url"], trust_env=False).content
        assert (len(code), hashlib.sha256(code).hexdigest()) == (order["code"]["size"], version.bundle_sha256)
    job.refresh_from_db()
    assert job.state == JobState.SUCCEEDED


WITH_CODE: Final = """\
pipeline: coded
version: 1.0.0
title: With code beside it
include: [../more]
steps:
  - name: nothing
    command: [python, -m, main]
"""


@pytest.fixture
def coded(tmp_path: Path) -> pipelines.Source:
    (tmp_path / "coded" / "own").mkdir(parents=True)
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "main.py").write_text("print('hello')\n")
    (tmp_path / "coded" / "pipeline.yaml").write_text(WITH_CODE)
    return pipelines.load(tmp_path / "coded")


def test_order_with_a_folder_of_this_machine_is_refused_to_another_one(
    owner: User, lab: Workspace, elsewhere: None, settings: Settings, coded: pipelines.Source
) -> None:
    plain = dispatched(settings, owner, publish_pipeline(), make_file(lab, owner))
    _, attempt = claimed(plain, "nothing")
    with pytest.raises(Invalid, match="a folder of this one"):
        work_order(attempt)

    version, _ = pipelines.publish(source=coded)
    coded_job = dispatched(settings, owner, version, make_file(lab, owner))
    JobInput.objects.filter(job=coded_job).delete()
    _, attempt = claimed(coded_job, "nothing")
    with pytest.raises(Invalid, match="a folder of this one"):
        work_order(attempt)


def test_output_is_not_asked_into_a_folder_of_this_machine_from_another_one(
    owner: User, lab: Workspace, elsewhere: None, settings: Settings
) -> None:
    who, _ = claimed(dispatched(settings, owner, publish_pipeline(), make_file(lab, owner)), "nothing")
    with pytest.raises(Invalid, match="a folder of this one"):
        runner.output_slots(holder=who, files=[(5, hashlib.sha256(OUTPUT).hexdigest())])


def test_machines_that_see_our_folders_are_told_them(
    owner: User, lab: Workspace, elsewhere: None, settings: Settings
) -> None:
    settings.AWS_CELL = asdict(CELL) | {"sees_our_folders": "yes"}
    _, attempt = claimed(dispatched(settings, owner, publish_pipeline(), make_file(lab, owner)), "nothing")
    assert work_order(attempt)["inputs"][0]["url"].startswith("file:")


def test_engine_elsewhere_on_folders_here_is_warned_of(elsewhere: None, settings: Settings) -> None:
    (said,) = checks.steps_elsewhere_reach_files()
    assert said.id == "esteira.W002"
    assert "uploads, results, code" in said.msg
    settings.AWS_CELL = {}
    assert not checks.steps_elsewhere_reach_files()


def test_engine_elsewhere_on_buckets_is_as_it_must_be(buckets: S3DirectStorage, elsewhere: None) -> None:
    assert not checks.steps_elsewhere_reach_files()


def test_code_that_lay_in_a_folder_is_brought_to_the_bucket(
    s3: S3Double, settings: Settings, monkeypatch: pytest.MonkeyPatch, coded: pipelines.Source
) -> None:
    """Of versions that no release brings again, too; what is not what it was stays where it is."""
    version, _ = pipelines.publish(source=coded)
    folder = settings.ESTEIRA_HOME / "storage" / "code"
    key = pipelines.bundle_key(version.bundle_sha256)
    assert (folder / key).is_file()
    with on_buckets(s3, settings, monkeypatch):
        assert get_storage("code").size(key) is None
        call_command("prepare", no_accounts=True)
        assert get_storage("code").open(key).read() == coded.bundle
        assert {v.bundle_sha256 for v in pipelines.publish_built_ins() if not stored(v)} == set()
        assert pipelines.bring_bundles(folder) == 0, "once"

        get_storage("code").delete(key)
        (folder / key).chmod(0o644)
        (folder / key).write_bytes(b"something else")
        assert pipelines.bring_bundles(folder) == 0
        assert get_storage("code").size(key) is None
    (folder / key).unlink()


def stored(version: PipelineVersion) -> bool:
    return get_storage("code").size(pipelines.bundle_key(version.bundle_sha256)) == version.bundle_size


def set_lifecycle(s3: S3Double, *rules: object) -> None:
    client_for(s3).put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration={"Rules": list(rules)})


def test_place_of_code_is_tried_and_left_as_it_was(buckets: S3DirectStorage, s3: S3Double) -> None:
    set_lifecycle(s3, KEPT_FOR_A_WHILE | {"Filter": {"Prefix": "results/"}})
    found = {finding.name: finding for finding in look("code")}
    assert {finding.level for finding in found.values()} == {"ok"}, found
    assert list(found) == ["reachable", "writing", "private", "kept for good", "deleting"]
    assert "Versions" not in client_for(s3).list_object_versions(Bucket=BUCKET)


@pytest.mark.parametrize(
    "chosen",
    [
        {"Filter": {"Prefix": ""}},
        {"Filter": {"Prefix": "code/"}},
        {"Filter": {"Prefix": "code/ab"}},
        {"Filter": {"And": {"Prefix": "co", "ObjectSizeGreaterThan": 9}}},
        {"Filter": {"ObjectSizeGreaterThan": 9}},
    ],
)
def test_rule_that_would_delete_code_is_named(buckets: S3DirectStorage, s3: S3Double, chosen: Any) -> None:
    set_lifecycle(s3, KEPT_FOR_A_WHILE | chosen)
    (bad,) = [finding for finding in look("code") if finding.level != "ok"]
    assert (bad.name, bad.level) == ("kept for good", "error")
    assert "retention" in bad.said


def test_code_is_written_and_read_by_those_who_may(
    owner: User, lab: Workspace, buckets: S3DirectStorage, settings: Settings
) -> None:
    call_command("prepare", no_accounts=True)
    version_for(vcpu=1, ram_gb=None, disk_gb=None)
    list(look("code"))
    version = PipelineVersion.objects.get(pipeline__name="inspect")
    job = dispatched(settings, owner, version, kept(owner))
    assert work_order(claimed(job, "inspect")[1])["code"]

    asked = {(grant.process, grant.action) for grant in RECORD.asked if grant.resource == CODE}
    assert {("migrate", "s3:PutObject"), ("web", "s3:PutObject"), ("web", "s3:GetObject")} <= asked
    assert {process for process, action in asked if action.startswith("s3:Delete")} <= {"check_storage"}
    assert not [process for process, _ in asked if process == "worker"]
