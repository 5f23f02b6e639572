"""The cluster is given what docs/deploy.md promises. Each fact turns red when its line in deploy/k8s goes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import Any, Final

import kubernetes_validate
import pytest
import yaml
from yamllint import linter
from yamllint.config import YamlLintConfig

from project import children
from tests.deploy import kubectl, manifests, pod_facts, write
from tests.deploy.manifests import ENVIRONMENTS, K8S, amount, environ, most, of_kind, one, pods, served
from tests.infra import contract
from tests.infra.blocks import TERRAFORM
from tests.infra.blocks import of_kind as blocks_of

both: Final = pytest.mark.parametrize("environment", ENVIRONMENTS)
VERSION: Final = "1.35"
SEVERAL: Final = ("web", "worker", "consumer")
# Kinds of others; test_k8s_linters.py has their schemas.
OTHERS: Final = re.compile(r"(argoproj\.io|elbv2\.k8s\.aws|external-secrets\.io|keda\.sh|monitoring\.coreos\.com)/")
ROLE: Final = "eks.amazonaws.com/role-arn"


def literal(module: str, resource: str, argument: str) -> Any:
    """What Terraform says, where it says it as it is."""
    found = blocks_of(TERRAFORM / "modules" / module, "resource")
    return next(block.body[argument] for block in found if block.name == resource)


def called(environment: str, module: str) -> dict[str, Any]:
    found = blocks_of(TERRAFORM / "envs" / environment, "module")
    return next(block.body for block in found if block.name == module)


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


@both
def test_processes_are_those_that_the_platform_has(environment: str) -> None:
    said = {pod.name: [*pod.container["command"], *pod.container.get("args", [])][1:] for pod in pods(environment)}
    assert said["web"] == children.WEB
    assert said["beat"] == children.BEAT
    assert said["worker"] == [*children.WORKER[:-1], "worker@%h"]
    known = subprocess.run(
        [sys.executable, "manage.py", "help", "--commands"],
        cwd=kubectl.ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    by_manage = {name: words[1] for name, words in said.items() if words[0] == "manage.py"}
    assert by_manage == {
        "consumer": "consume_events",
        "exporter": "exporter",
        "migrate": "prepare",
        "operator": "doctor",
    }
    assert set(by_manage.values()) <= set(known.stdout.split())
    given = {
        one["name"]: one["value"]
        for one in next(pod for pod in pods(environment) if pod.name == "web").container["env"]
    }
    assert children.WEB_ENV.items() <= given.items()


# -- probes and the end -----------------------------------------------------------------------------------------------


@both
def test_probes_ask_what_they_mean(environment: str) -> None:
    containers = {pod.name: pod.container for pod in served(environment)}
    web = containers["web"]
    assert {probe: web[probe]["httpGet"]["path"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")} == {
        "startupProbe": "/health/live", "livenessProbe": "/health/live", "readinessProbe": "/health/ready",
    }  # fmt: skip
    assert literal("edge", "aws_lb_target_group.web", "health_check")[0]["path"] == "/health/ready"
    for name in ("worker", "beat", "consumer"):
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            assert containers[name][probe]["exec"]["command"] == ["python", "-m", "project.pulse", "60"]
            assert containers[name][probe]["timeoutSeconds"] >= 5, "Python has to start"
    # A scrape asks the database: whether to start it anew must not hang on that.
    assert containers["exporter"]["livenessProbe"]["tcpSocket"] == {"port": "metrics"}
    assert containers["exporter"]["readinessProbe"]["httpGet"] == {"path": "/metrics", "port": "metrics"}


def started(environment: str, name: str, expression: str) -> str:
    """What the platform's settings say in that pod, with Terraform's settings as its last plan had them."""
    pod = next(pod for pod in pods(environment) if pod.name == name)
    given = environ(environment, pod)
    script = (
        f"import os, django; os.environ['DJANGO_SETTINGS_MODULE'] = 'project.settings'; django.setup(); {expression}"
    )
    secret = {name: value for name, value in SECRETS.items() if f"{name}_FILE" in given}
    assert set(secret) == set(SECRETS), "each is read from a file"
    plain = {name: value for name, value in given.items() if not name.endswith("_FILE") and name != "ESTEIRA_HOME"}
    env = {
        **AS_TERRAFORM,
        **plain,
        **secret,
        "PATH": os.environ["PATH"],
        "ESTEIRA_HOME": os.environ.get("TMPDIR", "/tmp"),
    }
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=kubectl.ROOT, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-800:]
    return done.stdout.strip()


SECRETS: Final = {
    "DATABASE_URL": "postgresql://esteira_app:x@db/esteira?sslmode=verify-full",
    "ESTEIRA_SECRET_KEY": "0" * 64,
    "ESTEIRA_SECRET_KEY_FALLBACKS": "",
    "ESTEIRA_SIGNING_KEY": "",
    "ESTEIRA_MAIL_URL": "smtp://user:password@mail.example.org/",
}
_AWS: Final = "us-east-1:123456789012"
AS_TERRAFORM: Final = {
    "AWS_REGION": "us-east-1",
    "ESTEIRA_ENGINE": "aws",
    "ESTEIRA_STORAGE": "s3",
    "ESTEIRA_S3_BUCKET_UPLOADS": "uploads",
    "ESTEIRA_S3_BUCKET_RESULTS": "results",
    "ESTEIRA_STATE_MACHINE": f"arn:aws:states:{_AWS}:stateMachine:m",
    "ESTEIRA_BATCH_QUEUE": f"arn:aws:batch:{_AWS}:job-queue/q",
    "ESTEIRA_BATCH_LOG_GROUP": "/steps",
    "ESTEIRA_MANIFESTS": "s3://manifests/runs",
    "ESTEIRA_PUBLIC_URL": "https://esteira.example.org",
    "ESTEIRA_HTTPS": "true",
}


@both
def test_platform_starts_on_what_its_pods_are_told(environment: str) -> None:
    said = started(
        environment,
        "web",
        "from django.conf import settings as s; print(s.GRACE_S, s.METRICS_PORT, s.ESTEIRA_PORT, s.DATABASES['default']['OPTIONS']['application_name'])",
    )
    web = next(pod for pod in pods(environment) if pod.name == "web")
    ports = {one["name"]: one["containerPort"] for one in web.container["ports"]}
    assert said.split() == ["45", str(ports["metrics"]), str(ports["http"]), "web"]
    read = _read_by_the_platform()
    for pod in pods(environment):
        for name in environ(environment, pod):
            ours = name.removesuffix("_FILE")
            assert not ours.startswith("ESTEIRA_") or ours in read, f"nothing reads {name}"
    assert set(contract.OTHERS) <= {name.removesuffix("_FILE") for name in environ(environment, web)}


def _read_by_the_platform() -> set[str]:
    text = "\n".join(path.read_text(encoding="utf-8") for path in (kubectl.ROOT / "project").rglob("*.py"))
    return set(re.findall(r'"(ESTEIRA_[A-Z0-9_]+)"', text))


@both
def test_end_of_a_web_process_leaves_nobody_waiting(environment: str) -> None:
    """The balancer stops sending; then the server finishes what it has; only then is it killed."""
    web = next(pod for pod in pods(environment) if pod.name == "web")
    sleep = web.container["lifecycle"]["preStop"]["sleep"]["seconds"]
    drain, grace, keep_alive, ping, comment = map(float, started(
        environment, "web",
        "from django.conf import settings as s; from project.serve import KEEP_ALIVE_S, configuration as c; from api_app.live import COMMENT_EVERY_S as e;"
        " print(s.DRAIN_S, s.GRACE_S, KEEP_ALIVE_S, c().ws_ping_interval, e)",
    ).split())  # fmt: skip
    health = literal("edge", "aws_lb_target_group.web", "health_check")[0]
    delay = literal("edge", "aws_lb_target_group.web", "deregistration_delay")
    idle = literal("edge", "aws_lb.this", "idle_timeout")
    (origin,) = literal("edge", "aws_cloudfront_distribution.this", "origin")
    read_s = origin["vpc_origin_config"][0]["origin_read_timeout"]
    assert sleep + drain >= 20, "so long the balancer may take to hear of it"
    assert sleep + drain + grace >= delay, "what the balancer lets finish, the server finishes"
    assert web.spec["terminationGracePeriodSeconds"] >= sleep + drain + grace + 10
    assert web.spec["terminationGracePeriodSeconds"] >= health["interval"] * health["unhealthy_threshold"]
    assert keep_alive > idle, "or the balancer would send on a connection that the server has just closed"
    assert idle > 2 * max(ping, comment), "or open pages would be cut"
    assert read_s > 2 * comment, "or CloudFront would give live streams up"
    assert one(environment, "Deployment", "worker")["template"]["spec"]["terminationGracePeriodSeconds"] >= 75
