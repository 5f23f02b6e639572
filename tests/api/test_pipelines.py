from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from orchestration.models import Pipeline, Workspace
from tests.factories import publish_pipeline
from tests.orchestration.play import TWO_STEPS

if TYPE_CHECKING:
    from tests.api.door import Visitor

pytestmark = pytest.mark.django_db


def test_pipelines_are_listed_in_their_newest_version(ana: Visitor) -> None:
    publish_pipeline(TWO_STEPS)
    publish_pipeline(TWO_STEPS.replace("1.0.0", "1.10.0").replace("Convert and", "Better"))
    publish_pipeline()
    listed = ana.json("GET", "/pipelines")["items"]
    assert [(p["name"], p["version"], p["versions"]) for p in listed] == [
        ("two-steps", "1.10.0", ["1.10.0", "1.0.0"]),
        ("noop", "1.0.0", ["1.0.0"]),
    ]
    assert listed[0]["steps"][1] == {"name": "report", "needs": ["convert"], "for_each": None, "title": "report"}
    assert listed[0]["accepts"]["max_files"] == 10_000


def test_one_pipeline_by_name_or_version(ana: Visitor) -> None:
    publish_pipeline(TWO_STEPS)
    publish_pipeline(TWO_STEPS.replace("1.0.0", "1.10.0").replace("Convert and", "Better"))
    assert ana.json("GET", "/pipelines/two-steps")["title"] == "Better report"
    assert ana.json("GET", "/pipelines/two-steps%401.0.0")["title"] == "Convert and report"
    assert ana("GET", "/pipelines/two-steps@2.0.0").status_code == 404
    assert ana("GET", "/pipelines/nothing").status_code == 404
    assert ana("GET", "/pipelines/a%00b").status_code == 422


def test_pipeline_of_another_workspace_is_not_there(ana: Visitor, eva: Visitor, lab: Workspace) -> None:
    publish_pipeline()
    Pipeline.objects.update(workspace=lab)
    assert ana("GET", "/pipelines/noop").status_code == 200
    assert eva("GET", "/pipelines/noop").status_code == 404
    assert eva.json("GET", "/pipelines")["items"] == []
