"""What runs in the pods: the platform's processes, on what they are told, rightly asked, ended in peace."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Final

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from project import children
from tests.deploy import kubectl
from tests.deploy.manifests import ENVIRONMENTS, Pod, environ, literal, of_kind, pods, served
from tests.infra import contract

if TYPE_CHECKING:
    from pathlib import Path

both: Final = pytest.mark.parametrize("environment", ENVIRONMENTS)
PROBES: Final = ("startupProbe", "livenessProbe", "readinessProbe")


def web_of(environment: str) -> Pod:
    return next(pod for pod in pods(environment) if pod.name == "web")


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
    "ESTEIRA_ALLOWED_HOSTS": "esteira.example.org",
    "ESTEIRA_TRUSTED_PROXIES": "10.20.0.0/16",
    "ESTEIRA_HTTPS": "true",
}


def started(pod: Pod, environment: str, folder: Path, expression: str) -> str:
    """What the platform says in that pod, with its secrets where they are mounted and Terraform's settings."""
    mounted = folder / "secrets"
    mounted.mkdir()
    (folder / "ca.pem").touch()
    for name, value in _secrets(environment, pod, folder).items():
        (mounted / name).write_text(value, encoding="utf-8")
    given = environ(environment, pod)
    assert given["ESTEIRA_SECRETS_DIR"] == pod.path_of("secrets")
    here = {"ESTEIRA_SECRETS_DIR": str(mounted), "ESTEIRA_HOME": str(folder), "PATH": os.environ["PATH"]}
    load = "import os, django; os.environ['DJANGO_SETTINGS_MODULE'] = 'project.settings'; django.setup()"
    done = subprocess.run(
        [sys.executable, "-c", f"{load}\n{expression}"],
        cwd=kubectl.ROOT, env=AS_TERRAFORM | given | here, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-800:]
    return done.stdout.strip()


def _secrets(environment: str, pod: Pod, folder: Path) -> dict[str, str]:
    """By file, as External Secrets writes them from what somebody put into Secrets Manager."""
    put = {
        "{{ .secret }}": "0123456789abcdef" * 4,
        "{{ .signing }}": _signing_key(),
        '{{ index . "previous" }}': "",
        "{{ .username }}": "esteira_master" if pod.name == "migrate" else "esteira_app",
        '{{ .password | urlquery | replace "+" "%20" }}': "a%2Fb%40c",
        "{{ .first }}": "a/b@c",
        "{{ .host }}": "db.example.org",
        "{{ .dbname }}": "esteira",
        "/etc/esteira/database-ca/ca.pem": str(folder / "ca.pem"),
    }
    made = {"ESTEIRA_MAIL_URL": "smtp://user:password@mail.example.org/"}
    for secret in map(of_kind(environment, "ExternalSecret").__getitem__, pod.secrets):
        for name, template in secret["spec"]["target"].get("template", {}).get("data", {}).items():
            for placeholder, value in put.items():
                template = template.replace(placeholder, value)  # noqa: PLW2901
            assert "{{" not in template
            made[name] = template
    return made


def _signing_key() -> str:
    key = Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


SEEN: Final = """
from django.conf import settings as s
database = s.DATABASES['default']
said = [s.METRICS_PORT, s.ESTEIRA_PORT, s.SECRET_KEY[:16], len(s.SECRET_KEY_FALLBACKS)]
said += [s.MAILERS['default']['OPTIONS']['host']]
print(*said, database['PASSWORD'], database['OPTIONS']['sslmode'], database['OPTIONS']['application_name'])
"""


@both
def test_platform_starts_on_what_its_pods_are_told(environment: str, tmp_path: Path) -> None:
    web = web_of(environment)
    ports = {one["name"]: one["containerPort"] for one in web.container["ports"]}
    said = started(web, environment, tmp_path, SEEN).split()
    assert said[:2] == [str(ports["metrics"]), str(ports["http"])]
    assert said[2:] == ["0123456789abcdef", "0", "mail.example.org", "a/b@c", "verify-full", "web"]
    read = _read_by_the_platform()
    for pod in pods(environment):
        unread = {name for name in environ(environment, pod) if name.startswith("ESTEIRA_")} - read
        assert unread == set(), pod.name
    told = {*environ(environment, web), *_secrets(environment, web, tmp_path)}
    assert set(contract.OTHERS) <= told


USER: Final = "from django.conf import settings as s; print(s.DATABASES['default']['USER'])"


@both
@pytest.mark.parametrize(("name", "user"), [("web", "esteira_app"), ("migrate", "esteira_master")])
def test_migration_alone_is_another_user_of_the_database(
    environment: str, name: str, user: str, tmp_path: Path
) -> None:
    pod = next(pod for pod in pods(environment) if pod.name == name)
    assert started(pod, environment, tmp_path, USER) == user


def _read_by_the_platform() -> set[str]:
    text = "\n".join(path.read_text(encoding="utf-8") for path in (kubectl.ROOT / "project").rglob("*.py"))
    return set(re.findall(r'"(ESTEIRA_[A-Z0-9_]+)"', text))


TIMES: Final = """
from django.conf import settings as s
from project.serve import KEEP_ALIVE_S, configuration
from api_app.live import COMMENT_EVERY_S
print(s.DRAIN_S, s.GRACE_S, KEEP_ALIVE_S, configuration().ws_ping_interval, COMMENT_EVERY_S)
"""


@both
def test_end_of_a_web_process_leaves_nobody_waiting(environment: str, tmp_path: Path) -> None:
    """The balancer stops sending; then the server finishes what it has; only then is it killed."""
    web = web_of(environment)
    said = started(web, environment, tmp_path, TIMES)
    drain, grace, keep_alive, ping, comment = map(float, said.split())
    sleep = web.container["lifecycle"]["preStop"]["sleep"]["seconds"]
    health = literal("edge", "aws_lb_target_group.web", "health_check")[0]
    delay = literal("edge", "aws_lb_target_group.web", "deregistration_delay")
    idle = literal("edge", "aws_lb.this", "idle_timeout")
    origin = literal("edge", "aws_cloudfront_distribution.this", "origin")[0]
    read_s = origin["vpc_origin_config"][0]["origin_read_timeout"]
    killed = web.spec["terminationGracePeriodSeconds"]
    assert grace == 45
    assert sleep + drain >= 20, "so long the balancer may take to hear of it"
    assert sleep + drain + grace >= delay, "what the balancer lets finish, the server finishes"
    assert killed >= sleep + drain + grace + 10
    assert killed >= health["interval"] * health["unhealthy_threshold"]
    assert keep_alive > idle, "or the balancer would send on a connection that the server has just closed"
    assert idle > 2 * max(ping, comment), "or open pages would be cut"
    assert read_s > 2 * comment, "or CloudFront would give live streams up"


@both
def test_tasks_under_way_end_before_their_worker_is_killed(environment: str) -> None:
    (worker,) = (pod for pod in pods(environment) if pod.name == "worker")
    grace = environ(environment, worker)["ESTEIRA_GRACE_S"]
    assert int(grace) + 10 <= worker.spec["terminationGracePeriodSeconds"]
