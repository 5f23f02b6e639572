"""Charts of others are asked whether they take our values: the program of CI, with a Helm that has one small chart."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, Final

import pytest
import yaml

from deploy.release.charts import FOLDER, look
from deploy.release.faults import ReleaseFault

if TYPE_CHECKING:
    from pathlib import Path

HELM: Final = """\
#!{python}
import sys
words = sys.argv[1:]
where = ["keda", "--repo", "https://charts.example.org", "--version", "1.2.3"]
if words == ["show", "values", *where]:
    print("replicas: 1\\npod: {{annotations: {{}}, size: small}}\\n")
elif words == ["template", "of-charts", *where, "--values", "-"]:
    said = sys.stdin.read()
    print(said if "silent" not in said else "")
else:
    sys.exit("no such chart")
"""


@pytest.fixture
def argocd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "bin").mkdir()
    helm = tmp_path / "bin/helm"
    helm.write_text(HELM.format(python=sys.executable))
    helm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{helm.parent}:{os.defpath}")
    (tmp_path / "argocd").mkdir()
    return tmp_path / "argocd"


def given(folder: Path, version: str = "1.2.3", **values: Any) -> None:
    source = {"chart": "keda", "repoURL": "https://charts.example.org", "targetRevision": version}
    said = {"spec": {"source": source | {"helm": {"valuesObject": values}}}}
    (folder / "keda.yaml").write_text(yaml.safe_dump(said))


def test_chart_takes_what_it_names_and_what_it_leaves_open(argocd: Path) -> None:
    given(argocd, replicas=2, pod={"annotations": {"example.org/a": "b"}, "size": "large"})
    look(argocd)


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"replica": 2}, "names no value replica"),
        ({"pod": {"sise": "small"}}, "names no value pod/sise"),
        ({"replicas": "silent"}, "makes nothing"),
    ],
)
def test_chart_that_would_not_do_as_it_is_told_is_refused(argocd: Path, values: dict[str, Any], why: str) -> None:
    given(argocd, **values)
    with pytest.raises(ReleaseFault, match=why):
        look(argocd)


def test_version_that_is_not_there_is_refused(argocd: Path) -> None:
    given(argocd, version="1.2.4", replicas=2)
    with pytest.raises(ReleaseFault, match="no such chart"):
        look(argocd)


def test_every_file_of_the_folder_is_of_a_chart() -> None:
    assert all("chart" in yaml.safe_load(file.read_text())["spec"]["source"] for file in FOLDER.glob("*.yaml"))
