from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from orchestration.models import Job, PipelineVersion, User, Workspace
from tests.factories import make_file, publish_pipeline
from tests.frontend.ask import browser

pytestmark = pytest.mark.django_db

WITH_PARAMS = """\
pipeline: thumbs
version: 1.2.0
title: {en: Make thumbnails, pt-BR: Fazer miniaturas}
accepts: {types: [text/csv], max_files: 3}
params:
  type: object
  required: [album]
  properties:
    album: {type: string, minLength: 2, maxLength: 50, title: Album, description: Whose pictures they are}
    width: {type: integer, minimum: 16, maximum: 4096, default: 320, title: Width}
    quality: {type: number, minimum: 0, maximum: 1, default: 0.8}
    format: {type: string, enum: [webp, jpeg], default: webp}
    strip: {type: boolean, default: true}
    sizes: {type: array, items: {type: integer, minimum: 1}, default: [1, 2]}
steps:
  - name: make
    command: ["true"]
    for_each: input
"""


@pytest.fixture
def version(db: None) -> PipelineVersion:
    return publish_pipeline(WITH_PARAMS)


def sent(*files: Any, **changes: Any) -> dict[str, Any]:
    form = {
        "files": ",".join(str(file.pk) for file in files),
        "pipeline": "thumbs@1.2.0",
        "shown": "thumbs@1.2.0",
        "name": "March",
        "key": "key-1",
        "p.album": "Ana",
        "p.width": "640",
        "p.quality": "0.5",
        "p.format": "jpeg",
        "p.sizes": "3, 5",
    }
    return {name: value for name, value in (form | changes).items() if value is not None}


def test_job_is_submitted_with_typed_parameters(owner: User, lab: Workspace, version: PipelineVersion) -> None:
    files = [make_file(lab, owner, "b.csv"), make_file(lab, owner, "a.csv")]
    response = browser(owner).post("/jobs/new/", sent(*files))
    job = Job.objects.get()
    assert response["Location"] == f"/jobs/{job.pk}/"
    assert job.params == {
        "album": "Ana", "width": 640, "quality": 0.5, "format": "jpeg", "strip": False, "sizes": [3, 5],
    }  # fmt: skip
    assert (job.name, job.pipeline_version, job.created_by) == ("March", version, owner)
    assert [i.file.name for i in job.job_inputs.select_related("file")] == ["b.csv", "a.csv"]


def test_deadline_is_chosen_on_the_form(owner: User, lab: Workspace, version: PipelineVersion) -> None:
    client, file = browser(owner), make_file(lab, owner)
    assert "1 day from now" in client.get("/jobs/new/?pipeline=thumbs").content.decode()
    before = timezone.now()
    client.post("/jobs/new/", sent(file, deadline="86400"))
    job = Job.objects.get()
    assert job.deadline is not None
    assert timedelta(hours=23, minutes=59) < job.deadline - before < timedelta(hours=24, minutes=1)
    client.post("/jobs/new/", sent(file, deadline="", key="key-2"))
    assert Job.objects.filter(deadline=None).count() == 1
    far = client.post("/jobs/new/", sent(file, deadline="99999999", key="key-3"))
    assert far.status_code == 422
    assert "at most 366 days away" in far.content.decode()
    kept = client.post("/jobs/new/", sent(file, deadline="3600", key="key-4", **{"p.width": "0"})).content.decode()
    assert '<option value="3600" selected>' in kept, "what was chosen stays when something else is wrong"


def test_form_is_drawn_from_the_schema(owner: User, version: PipelineVersion) -> None:
    html = browser(owner).get("/jobs/new/params/?pipeline=thumbs@1.2.0").content.decode()
    assert '<label for="param-album">Album</label>' in html
    assert 'minlength="2" maxlength="50" required="required"' in html
    assert "Whose pictures they are" in html
    assert 'value="320" min="16" max="4096" step="1"' in html
    assert "<option selected>webp</option>" in html
    assert 'name="p.strip" id="param-strip" checked' in html
    assert 'value="1, 2"' in html
    assert "<html" not in html


@pytest.mark.parametrize(
    ("changes", "field", "says"),
    [
        ({"p.album": ""}, "album", "Is missing"),
        ({"p.album": "x"}, "album", "at least 2"),
        ({"p.width": "5"}, "width", "at least 16"),
        ({"p.width": "wide"}, "width", "a whole number"),
        ({"p.quality": "nan"}, "quality", "a number"),
        ({"p.format": "bmp"}, "format", "webp"),
        ({"p.sizes": "3, -1"}, "sizes", "at least 1"),
    ],
)
def test_error_stands_beside_its_field_and_nothing_is_lost(
    owner: User, lab: Workspace, version: PipelineVersion, changes: dict[str, str], field: str, says: str
) -> None:
    response = browser(owner).post("/jobs/new/", sent(make_file(lab, owner, "kept.csv"), **changes))
    html = response.content.decode()
    assert response.status_code == 422
    assert says in html.split(f'id="param-{field}-error">')[1].split("</p>")[0]
    assert "kept.csv" in html
    assert 'value="March"' in html
    assert not Job.objects.exists()


def test_everything_wrong_is_said_at_once(owner: User, lab: Workspace, version: PipelineVersion) -> None:
    html = browser(owner).post("/jobs/new/", sent(**{"p.width": "x", "p.album": "y"})).content.decode()
    assert "Add at least one file." in html
    assert "param-width-error" in html
    assert "param-album-error" in html
    assert 'value="x"' in html, "what was typed is still there to be mended"


def test_pipeline_that_does_not_take_the_file_is_refused(owner: User, lab: Workspace, version: PipelineVersion) -> None:
    picture = make_file(lab, owner, "photo.png", b"\x89PNG\r\n\x1a\n")
    response = browser(owner).post("/jobs/new/", sent(picture))
    assert response.status_code == 422
    assert "photo.png is image/png; this pipeline accepts text/csv" in response.content.decode()


def test_second_click_is_the_same_job(owner: User, lab: Workspace, version: PipelineVersion) -> None:
    client, form = browser(owner), sent(make_file(lab, owner))
    assert client.post("/jobs/new/", form)["Location"] == client.post("/jobs/new/", form)["Location"]
    assert Job.objects.count() == 1


def test_page_that_was_gone_back_to_and_changed_makes_another_job(
    owner: User, lab: Workspace, version: PipelineVersion
) -> None:
    client, file = browser(owner), make_file(lab, owner)
    client.post("/jobs/new/", sent(file))
    client.post("/jobs/new/", sent(file, name="April"))
    assert sorted(Job.objects.values_list("name", flat=True)) == ["April", "March"]


def test_somebody_else_s_file_is_left_out(
    owner: User, stranger: User, lab: Workspace, version: PipelineVersion
) -> None:
    theirs = make_file(lab, owner, "secret.csv")
    client = browser(stranger)
    assert "secret.csv" not in client.get(f"/jobs/new/?file={theirs.pk}").content.decode()
    response = client.post("/jobs/new/", sent(theirs))
    assert response.status_code == 422
    assert "Add at least one file." in response.content.decode()


def test_unknown_pipeline_is_not_found(owner: User, lab: Workspace, version: PipelineVersion) -> None:
    client = browser(owner)
    assert client.get("/jobs/new/params/?pipeline=nothing").status_code == 404
    assert (
        client.post(
            "/jobs/new/", sent(make_file(lab, owner), pipeline="thumbs@9.9.9", shown="thumbs@9.9.9")
        ).status_code
        == 404
    )


def test_resubmitting_starts_from_the_job_as_it_was(owner: User, lab: Workspace, version: PipelineVersion) -> None:
    client = browser(owner)
    client.post("/jobs/new/", sent(make_file(lab, owner, "first.csv")))
    job = Job.objects.get()
    publish_pipeline(WITH_PARAMS.replace("1.2.0", "1.3.0"))

    html = client.get(f"/jobs/new/?from={job.pk}").content.decode()
    assert "first.csv" in html
    assert 'value="640"' in html
    assert 'value="thumbs@1.2.0" checked' in html
    assert 'value="thumbs@1.3.0"' in html

    client.post("/jobs/new/", sent(*job.inputs.all(), **{"from": str(job.pk), "key": "key-2", "p.width": "64"}))
    again = Job.objects.exclude(pk=job.pk).get()
    assert (again.resubmitted_from, again.params["width"]) == (job, 64)


def test_page_says_what_to_do_without_javascript(owner: User) -> None:
    assert "<noscript>" in browser(owner).get("/jobs/new/").content.decode()


def test_hostile_file_name_stays_text(owner: User, lab: Workspace, version: PipelineVersion) -> None:
    file = make_file(lab, owner, '"><img src=x>.csv')
    html = browser(owner).get(f"/jobs/new/?file={file.pk}").content.decode()
    assert "<img" not in html
    assert r'"\"\u003E\u003Cimg src=x\u003E.csv"' in html


def test_parameters_that_were_never_shown_are_shown_first(
    owner: User, lab: Workspace, version: PipelineVersion
) -> None:
    """Without JavaScript, and when the pipeline was changed and submitted before its form had come."""
    form = {"files": str(make_file(lab, owner).pk), "pipeline": str(version), "key": "k", "shown": "noop@1.0.0"}
    response = browser(owner).post("/jobs/new/", form)
    assert response.status_code == 422
    assert 'name="p.strip" id="param-strip" checked' in response.content.decode()
    assert not Job.objects.exists()
