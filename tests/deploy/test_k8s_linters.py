"""What others' linters and schemas say of deploy/k8s. With `--campaign=full`: they are fetched, and take their time."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.deploy import kubectl, manifests
from tests.deploy.manifests import ENVIRONMENTS, K8S
from tests.infra import linters

FOLDERS: Final = {one.relative_to(K8S).as_posix(): one for one in manifests.folders()}
NODE: Final = Path(sys.executable).with_name("node")
NPM: Final = Path(sys.executable).with_name("npm")
# Checks of Checkov that are not ours to pass, and why.
NOT_ASKED: Final = {
    "CKV_K8S_35": "settings are names and addresses; what is secret is mounted (test_k8s.py)",
}
TRIVY_NOT_ASKED: Final = {
    "AVD-KSV-0109": "what it takes for secrets are paths of files (…_KEY_FILE), and their values are mounted",
    "AVD-KSV-01010": "the same; and ports",
}
MODELS: Final = (
    "@kubernetes-models/argo-cd@4.0.0",
    "@kubernetes-models/external-secrets@2.0.0",
    "@kubernetes-models/keda@2.0.0",
    "@kubernetes-models/prometheus-operator@6.0.0",
)
OF_MODELS: Final = {
    "argoproj.io/v1alpha1": "argo-cd",
    "external-secrets.io/v1": "external-secrets",
    "keda.sh/v1alpha1": "keda",
    "monitoring.coreos.com/v1": "prometheus-operator",
}


@pytest.fixture(autouse=True, scope="module")
def _long(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--campaign") != "full":
        pytest.skip("make deploy-check asks scanners: --campaign=full")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("k8s")
    for name, path in FOLDERS.items():
        (folder / f"{name.replace('/', '-')}.yaml").write_text(kubectl.built(path), encoding="utf-8")
    return folder


def test_checkov_finds_nothing(built: Path) -> None:
    command = [linters.UV, "tool", "run", "--quiet", "--from", linters.CHECKOV, "checkov", "--directory", str(built)]
    how = ["--framework", "kubernetes", "--skip-download", "--quiet", "--compact", "--skip-check", ",".join(NOT_ASKED)]
    done = subprocess.run([*command, *how], capture_output=True, text=True, timeout=linters.LIMIT_S, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


def test_trivy_finds_nothing(built: Path) -> None:
    said = linters.trivy(built, *TRIVY_NOT_ASKED)
    assert said == ""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Schemas of the kinds of others, as npm packages carry them."""
    folder = tmp_path_factory.mktemp("models")
    (folder / "package.json").write_text('{"private": true, "type": "module"}', encoding="utf-8")
    how = ["--silent", "--no-audit", "--no-fund", "--ignore-scripts"]
    subprocess.run([str(NPM), "install", *how, *MODELS], cwd=folder, check=True, timeout=linters.LIMIT_S)
    return folder


_VALIDATE: Final = """
const said = JSON.parse(await new Promise((ready) => {
  let text = ''; process.stdin.on('data', (part) => (text += part)).on('end', () => ready(text));
}));
for (const [folder, made] of said) {
  const [group, version] = made.apiVersion.split('/');
  const module = await import(`@kubernetes-models/${folder}/${group}/${version}/${made.kind}`);
  try { new module[made.kind](made).validate(); } catch (wrong) {
    console.log(`${made.kind} ${made.metadata.name}: ${wrong.message}`);
  }
}
"""


def test_kinds_of_others_are_as_their_schemas_say(models: Path) -> None:
    made = [one for folder in FOLDERS.values() for one in kubectl.build(folder) if one["apiVersion"] in OF_MODELS]
    made += [_root(environment) for environment in ENVIRONMENTS]
    assert {one["apiVersion"] for one in made} == set(OF_MODELS)
    given: list[Any] = [[OF_MODELS[one["apiVersion"]], one] for one in made]
    assert _said(models, given) == ""
    given[0][1]["spec"] = "never"
    assert _said(models, given), "and it would say so"


def _said(models: Path, given: list[Any]) -> str:
    script = models / "validate.js"
    script.write_text(_VALIDATE, encoding="utf-8")
    done = subprocess.run(
        [str(NODE), str(script)], input=json.dumps(given), capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def _root(environment: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((K8S / "argocd" / environment / "root.yaml").read_text(encoding="utf-8"))
    return found
