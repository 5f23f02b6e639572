from __future__ import annotations

import re

import pytest

from orchestration.models import File, Pipeline, User, Workspace
from tests.factories import publish_pipeline
from tests.frontend.ask import browser
from tests.frontend.test_new_job import WITH_PARAMS

pytestmark = pytest.mark.django_db


def test_pipeline_shows_versions_parameters_and_source(owner: User) -> None:
    publish_pipeline(WITH_PARAMS)
    publish_pipeline(WITH_PARAMS.replace("1.2.0", "1.3.0"))
    client = browser(owner)
    html = client.get("/pipelines/thumbs/").content.decode()
    assert "Make thumbnails" in html
    assert "16 to 4096" in html
    assert "one of webp, jpeg" in html
    assert "required" in html
    assert "version: 1.3.0" in html
    assert 'href="?version=1.2.0"' in html
    assert "version: 1.2.0" in client.get("/pipelines/thumbs/?version=1.2.0").content.decode()


def test_pipeline_of_another_workspace_is_not_found(owner: User, stranger: User, lab: Workspace) -> None:
    publish_pipeline(WITH_PARAMS)
    Pipeline.objects.update(workspace=lab)
    assert browser(owner).get("/pipelines/thumbs/").status_code == 200
    client = browser(stranger)
    assert client.get("/pipelines/thumbs/").status_code == 404
    assert "thumbs" not in client.get("/pipelines/").content.decode()
    assert "thumbs" not in client.get("/jobs/new/").content.decode()


def test_unknown_version_is_not_found(owner: User) -> None:
    publish_pipeline()
    assert browser(owner).get("/pipelines/noop/?version=9.9.9").status_code == 404


def test_source_is_text(owner: User) -> None:
    publish_pipeline(WITH_PARAMS.replace("Make thumbnails", "<script>1</script>"))
    assert "<script>1" not in browser(owner).get("/pipelines/thumbs/").content.decode()


def test_two_versions_are_compared(owner: User) -> None:
    publish_pipeline(WITH_PARAMS)
    client = browser(owner)
    assert "What changed" not in client.get("/pipelines/thumbs/").content.decode(), "there is one"
    assert "Nothing differs" in client.get("/pipelines/thumbs/compare/").content.decode()
    publish_pipeline(WITH_PARAMS.replace("1.2.0", "1.3.0").replace("maximum: 4096", "maximum: 8192"))
    html = client.get("/pipelines/thumbs/").content.decode()
    assert 'href="/pipelines/thumbs/compare/?to=1.3.0"' in html
    html = client.get("/pipelines/thumbs/compare/").content.decode()
    assert re.search(r"<code>\w+\.maximum</code>", html)
    assert "<b>8192</b>" in html
    assert "<del>-version: 1.2.0</del>" in html
    assert "<ins>+version: 1.3.0</ins>" in html
    back = client.get("/pipelines/thumbs/compare/?from=1.3.0&to=1.2.0").content.decode()
    assert "<b>4096</b>" in back
    assert client.get("/pipelines/thumbs/compare/?from=9.9.9").status_code == 404


def test_versions_that_only_are_written_otherwise_do_the_same(owner: User) -> None:
    publish_pipeline(WITH_PARAMS)
    publish_pipeline(WITH_PARAMS.replace("1.2.0", "1.3.0"))
    assert "it does the same" in browser(owner).get("/pipelines/thumbs/compare/").content.decode()


def test_versions_of_another_workspace_are_not_compared(stranger: User, lab: Workspace) -> None:
    publish_pipeline(WITH_PARAMS)
    Pipeline.objects.update(workspace=lab)
    assert browser(stranger).get("/pipelines/thumbs/compare/").status_code == 404


@pytest.mark.django_db(transaction=True)
def test_pipeline_is_tried_with_a_sample_that_is_sent_once(owner: User, lab: Workspace) -> None:
    publish_pipeline()
    client = browser(owner)
    assert "Try it with penguins.csv" in client.get("/pipelines/noop/").content.decode()
    where = [client.post("/pipelines/noop/try/")["Location"] for _ in range(2)]
    file = File.objects.get()
    assert where == [f"/jobs/new/?pipeline=noop&file={file.pk}"] * 2
    html = client.get(where[0]).content.decode()
    assert "penguins.csv" in html
    assert str(file.pk) in html


@pytest.mark.django_db(transaction=True)
def test_sample_is_one_that_the_pipeline_takes(owner: User, lab: Workspace) -> None:
    publish_pipeline(WITH_PARAMS.replace("types: [text/csv]", "types: [image/png]"))
    takes_none = WITH_PARAMS.replace("pipeline: thumbs", "pipeline: odd")
    publish_pipeline(takes_none.replace("types: [text/csv]", "types: [audio/ogg]"))
    client = browser(owner)
    assert "Try it with belt.png" in client.get("/pipelines/thumbs/").content.decode()
    assert "Try it" not in client.get("/pipelines/odd/").content.decode()
    said = client.post("/pipelines/odd/try/", follow=True).content.decode()
    assert "There is no sample file that this pipeline takes." in said
    assert not File.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_viewer_tries_nothing_and_a_full_workspace_says_so(owner: User, viewer: User, lab: Workspace) -> None:
    publish_pipeline()
    assert browser(viewer).post("/pipelines/noop/try/").status_code == 403
    Workspace.objects.update(quota_bytes=10)
    answer = browser(owner).post("/pipelines/noop/try/", follow=True)
    assert "Workspace lab may hold 10" in answer.content.decode()
    assert not File.objects.exists()
