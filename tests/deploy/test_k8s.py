"""The cluster is given what docs/deploy.md promises. Each fact turns red when its line in deploy/k8s goes."""

from __future__ import annotations

import re
from typing import Any, Final

import kubernetes_validate
import pytest
import yaml
from yamllint import linter
from yamllint.config import YamlLintConfig

from tests.deploy import kubectl, manifests, pod_facts, write
from tests.deploy.manifests import ENVIRONMENTS, K8S, of_kind, one, pods, served
from tests.infra.blocks import TERRAFORM
from tests.infra.blocks import of_kind as blocks_of

both: Final = pytest.mark.parametrize("environment", ENVIRONMENTS)
VERSION: Final = "1.35"
SEVERAL: Final = ("web", "worker", "consumer")
# Kinds of others; test_k8s_linters.py has their schemas.
OTHERS: Final = re.compile(
    r"(argoproj\.io|elbv2\.k8s\.aws|external-secrets\.io|keda\.sh|monitoring\.coreos\.com|policies\.kyverno\.io)/"
)
ROLE: Final = "eks.amazonaws.com/role-arn"


# -- as files ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", manifests.folders(), ids=lambda one: one.relative_to(K8S).as_posix())
def test_what_is_built_is_of_kubernetes(folder: Any) -> None:
    kinds = [made for made in kubectl.build(folder) if not OTHERS.match(made["apiVersion"])]
    for made in kinds:
        kubernetes_validate.validate(made, VERSION, strict=True)
    names = [(made["kind"], made["metadata"]["name"]) for made in kubectl.build(folder)]
    assert len(set(names)) == len(names)


def test_version_is_that_of_the_cluster() -> None:
    (variable,) = [
        one for one in blocks_of(TERRAFORM / "modules/cluster", "variable") if one.name == "kubernetes_version"
    ]
    assert variable.body["default"] == VERSION
    (namespace,) = [made for made in manifests.ground("prod") if made["kind"] == "Namespace"]
    for mode in ("enforce", "audit", "warn"):
        assert namespace["metadata"]["labels"][f"pod-security.kubernetes.io/{mode}"] == "restricted"
        assert namespace["metadata"]["labels"][f"pod-security.kubernetes.io/{mode}-version"] == f"v{VERSION}"
    assert namespace["metadata"]["labels"]["elbv2.k8s.aws/pod-readiness-gate-inject"] == "enabled"


def test_files_are_tidy() -> None:
    rules = YamlLintConfig((kubectl.ROOT / "tests/deploy/yamllint.yaml").read_text(encoding="utf-8"))
    for path in sorted(K8S.rglob("*.yaml")):
        problems = list(linter.run(path.read_text(encoding="utf-8"), rules, path.name))
        assert not problems, f"{path}: {problems}"


def test_what_is_alike_in_pods_is_alike_in_those_of_cronjobs() -> None:
    text = (K8S / "base/pod.yaml").read_text(encoding="utf-8")
    deeper = yaml.safe_load(text.replace("/spec/template/", "/spec/jobTemplate/spec/template/"))
    assert yaml.safe_load((K8S / "base/pod-of-cronjob.yaml").read_text(encoding="utf-8")) == deeper


def test_rules_are_those_of_the_alerts() -> None:
    assert write.PROMETHEUS_RULE.read_text(encoding="utf-8") == write.prometheus_rule(), "make infra-docs writes it"


# -- pods -------------------------------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("says", pod_facts.ALL)
def test_every_pod(environment: str, says: str) -> None:
    assert len(pods(environment)) == 7
    assert [pod.name for pod in pods(environment) if not pod_facts.ALL[says](pod)] == []


@both
@pytest.mark.parametrize("says", pod_facts.STAYING)
def test_every_pod_that_stays(environment: str, says: str) -> None:
    assert [pod.name for pod in served(environment) if not pod_facts.STAYING[says](pod)] == []


@both
@pytest.mark.parametrize("says", pod_facts.SEVERAL)
def test_pods_of_which_there_are_several(environment: str, says: str) -> None:
    several = [pod for pod in served(environment) if pod.name in SEVERAL]
    assert [pod.name for pod in several if not pod_facts.SEVERAL[says](pod)] == []
    web = next(pod for pod in several if pod.name == "web")
    assert web.spec["topologySpreadConstraints"][0]["whenUnsatisfiable"] == "DoNotSchedule"


@both
@pytest.mark.parametrize("name", SEVERAL)
def test_one_pod_at_a_time_is_taken_away(environment: str, name: str) -> None:
    budget = one(environment, "PodDisruptionBudget", name)
    assert (budget["maxUnavailable"], budget["unhealthyPodEvictionPolicy"]) == (1, "AlwaysAllow")
    labels = one(environment, "Deployment", name)["template"]["metadata"]["labels"]
    assert budget["selector"]["matchLabels"].items() <= labels.items()


@both
def test_everything_bears_the_usual_labels(environment: str) -> None:
    for made in manifests.everything(environment):
        assert made["metadata"]["labels"]["app.kubernetes.io/part-of"] == "esteira", made["metadata"]["name"]
    for pod in pods(environment):
        assert pod.labels["app.kubernetes.io/name"] == "esteira"
        assert pod.labels["app.kubernetes.io/component"] == pod.name
        assert pod.labels["app.kubernetes.io/part-of"] == "esteira"


@both
def test_pages_come_before_work_and_work_before_commands(environment: str) -> None:
    values = {name: made["value"] for name, made in of_kind(environment, "PriorityClass").items()}
    order = [
        values[next(pod for pod in pods(environment) if pod.name == name).spec["priorityClassName"]]
        for name in ("web", "consumer", "operator")
    ]
    assert order == [100_000, 50_000, 10_000]
