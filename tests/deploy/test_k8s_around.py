"""Around the pods: who talks to whom, whose rights they have, how many there are, and who keeps it so."""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import Any, Final

import pytest

from project.telemetry import http
from tests.deploy import manifests
from tests.deploy.manifests import ENVIRONMENTS, K8S, amount, called, environ, literal, most, of_kind, one, pods
from tests.deploy.workflows import read
from tests.infra import contract
from tests.infra.blocks import ROOT, TERRAFORM
from tests.infra.blocks import of_kind as blocks_of

both: Final = pytest.mark.parametrize("environment", ENVIRONMENTS)
ACCOUNTS: Final = {"web", "worker", "consumer", "operator", "beat", "exporter", "migrate"}
ROLE: Final = "eks.amazonaws.com/role-arn"
NOBODYS: Final = "192.0.2."
OWNER: Final = "database-owner"
# Beside the settings and the broker's four, one that follows the events (web) or none.
CONNECTIONS: Final = 16 + 4 + 1


# -- the network ------------------------------------------------------------------------------------------------------


def allowed(environment: str, component: str, direction: str) -> set[tuple[str, int]]:
    """Other side and port of everything that a pod may do."""
    found = set()
    for policy in of_kind(environment, "NetworkPolicy").values():
        spec = policy["spec"]
        if direction.capitalize() in spec["policyTypes"] and _selects(spec["podSelector"], component):
            for rule in spec.get(direction, []):
                sides = rule["to" if direction == "egress" else "from"]
                found |= {(_named(side), port["port"]) for side in sides for port in rule["ports"]}
    return found


def _selects(selector: dict[str, Any], component: str) -> bool:
    label = "app.kubernetes.io/component"
    exact = selector.get("matchLabels", {}).get(label, component) == component
    return exact and all(component in one["values"] for one in selector.get("matchExpressions", []))


def _named(side: dict[str, Any]) -> str:
    if "ipBlock" in side:
        return str(side["ipBlock"]["cidr"])
    namespace = side["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
    return f"{namespace}/{next(iter(side['podSelector']['matchLabels'].values()))}"


@both
def test_nothing_talks_unless_it_is_named(environment: str) -> None:
    deny = one(environment, "NetworkPolicy", "default-deny")
    assert deny == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert not any(NOBODYS in str(made) for made in manifests.everything(environment))
    names = {("kube-system/kube-dns", 53)}
    database = {(str(subnet), 5432) for subnet in subnets(environment, 8, 8)}
    aws = {("0.0.0.0/0", 443)}
    out = {("0.0.0.0/0", 8443), ("0.0.0.0/0", 587)}
    for component in ("beat", "exporter"):
        assert allowed(environment, component, "egress") == names | database
    for component in ("consumer", "migrate"):
        assert allowed(environment, component, "egress") == names | database | aws
    for component in ("web", "worker", "operator"):
        assert allowed(environment, component, "egress") == names | database | aws | out
    scrape = {("monitoring/prometheus", 9464)}
    assert allowed(environment, "web", "ingress") == scrape | {
        (str(subnet), 8000) for subnet in subnets(environment, 3, 1)
    }
    assert allowed(environment, "exporter", "ingress") == scrape
    for component in ("worker", "beat", "consumer", "migrate", "operator"):
        assert not allowed(environment, component, "ingress")


def subnets(environment: str, bits: int, first: int) -> list[Any]:
    """As modules/network cuts them: cidrsubnet(cidr, bits, first + zone)."""
    return list(ip_network(called(environment, "network")["cidr"]).subnets(bits))[first : first + 3]


@both
@pytest.mark.parametrize("name", ["aws", "webhooks-and-mail"])
def test_machines_own_metadata_is_out_of_reach(environment: str, name: str) -> None:
    for rule in one(environment, "NetworkPolicy", name)["egress"]:
        assert rule["to"] == [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["169.254.0.0/16"]}}]


def test_ports_are_those_of_the_security_groups() -> None:
    text = (TERRAFORM / "modules/network/security_groups.tf").read_text(encoding="utf-8")
    for port in (443, 8443, 587, 5432, 8000):
        assert re.search(rf"port = {port}\b", text)


@both
def test_every_path_leads_from_the_balancer_to_the_one_process(environment: str) -> None:
    """It tells pages, API, live connections and static files apart itself: project/stack/routing.py."""
    binding = one(environment, "TargetGroupBinding", "web")
    assert binding["targetGroupARN"] == outputs(environment)["target_group_arn"]
    assert (binding["targetType"], binding["serviceRef"]) == ("ip", {"name": "web", "port": "http"})
    service = one(environment, "Service", "web")
    assert {port["name"]: port["targetPort"] for port in service["ports"]} == {"http": "http", "metrics": "metrics"}
    web = next(pod for pod in pods(environment) if pod.name == "web")
    assert service["selector"].items() <= web.labels.items()
    assert service["type"] == "ClusterIP"
    assert literal("edge", "aws_lb_target_group.web", "port") == 8000
    (action,) = literal("edge", "aws_lb_listener.https", "default_action")
    assert action["type"] == "forward"
    assert not [made for made in manifests.everything(environment) if made["kind"] == "Ingress"]


# -- rights -----------------------------------------------------------------------------------------------------------


def outputs(environment: str) -> dict[str, str]:
    lines = (K8S / "overlays" / environment / "terraform/outputs.env").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines)


def test_placeholders_are_outputs_of_terraform() -> None:
    assert outputs("staging").keys() == outputs("prod").keys()
    made = set(contract.outputs("prod"))
    for name in outputs("prod"):
        assert any(name == output or name.startswith(f"{output}_") for output in made), name
    page = (ROOT / "docs/deploy.md").read_text(encoding="utf-8")
    (picked,) = re.findall(r"grep -E '(\S+)' > .*outputs\.env", page)
    assert all(re.match(picked, f"{name}=") for name in outputs("prod")), "docs/deploy.md says how they are copied"


@both
def test_each_account_is_its_own_role(environment: str) -> None:
    said = outputs(environment)
    accounts = of_kind(environment, "ServiceAccount")
    assert set(accounts) == ACCOUNTS
    roles = {name: made["metadata"].get("annotations", {}).get(ROLE) for name, made in accounts.items()}
    with_role = set(_locals()["processes"].values())
    assert {name for name, role in roles.items() if role} == with_role
    for name in with_role:
        assert roles[name] == said[f"role_arns_{name}"]
        assert roles[name].endswith(f":role/{said['cluster_name']}-pod-{name}")
    assert all(made["automountServiceAccountToken"] is False for made in accounts.values())


def _locals() -> dict[str, Any]:
    found = blocks_of(TERRAFORM / "modules/workload_roles", "locals")
    return next(block.body for block in found if "processes" in block.body)


@both
def test_controllers_are_the_accounts_that_their_roles_trust(environment: str) -> None:
    values = {
        name: made["spec"]["source"].get("helm", {}).get("valuesObject")
        for name, made in applications(environment).items()
    }
    said = outputs(environment)
    accounts = {
        "external-secrets": values["external-secrets"]["serviceAccount"],
        "aws-load-balancer-controller": values["aws-load-balancer-controller"]["serviceAccount"],
        "cluster-autoscaler": values["cluster-autoscaler"]["rbac"]["serviceAccount"],
        "kyverno": values["kyverno"]["admissionController"]["rbac"]["serviceAccount"],
    }
    for name, who in _locals()["controllers"].items():
        assert applications(environment)[name]["spec"]["destination"]["namespace"] == who["namespace"]
        if name == "keda":
            account = values["keda"]["serviceAccount"]["operator"]["name"]
            role = values["keda"]["podIdentity"]["aws"]["irsa"]["roleArn"]
        else:
            account, role = accounts[name]["name"], accounts[name]["annotations"][ROLE]
        assert (account, role) == (who["account"], said[f"role_arns_{name}"])
    assert values["cluster-autoscaler"]["autoDiscovery"]["clusterName"] == said["cluster_name"]
    assert values["aws-load-balancer-controller"]["clusterName"] == said["cluster_name"]


@both
def test_secrets_come_from_where_terraform_put_them(environment: str) -> None:
    name = outputs(environment)["cluster_name"]
    found = {made["metadata"]["name"]: made["spec"] for made in of_kind(environment, "ExternalSecret").values()}
    assert set(found) == {"settings", "keys", "database", "database-owner", "mail"}
    for spec in found.values():
        assert spec["refreshInterval"] == "15m"
        assert spec["target"]["creationPolicy"] == "Owner"
    for made in of_kind(environment, "ExternalSecret").values():
        assert made["apiVersion"] == "external-secrets.io/v1"
    assert found["settings"]["dataFrom"][0]["find"]["path"] == f"/{name}/settings"
    asked = {
        data["remoteRef"]["key"]
        for secret, spec in found.items()
        if secret != "database-owner"
        for data in spec.get("data", [])
    }
    # The one of the smoke test is read by who deploys, and by nothing that runs here.
    assert asked == {f"{name}/{secret}" for secret in contract.secrets(environment) if secret != "smoke-token"}
    assert found["database"]["dataFrom"][0]["extract"]["key"] == f"{name}/database"
    urls = {found[secret]["target"]["template"]["data"]["DATABASE_URL"] for secret in ("database", "database-owner")}
    assert len(urls) == 1
    assert "sslmode=verify-full" in urls.pop()
    previous = next(data for data in found["keys"]["data"] if data["secretKey"] == "previous")
    assert previous["remoteRef"] == {"key": f"{name}/secret-key", "version": "AWSPREVIOUS"}
    stores = {
        made["metadata"]["name"]: made["spec"] for made in manifests.platform() if made["kind"] == "ClusterSecretStore"
    }
    assert {name: store["provider"]["aws"]["service"] for name, store in stores.items()} == {
        "secrets": "SecretsManager",
        "settings": "ParameterStore",
    }
    assert all(store["conditions"] == [{"namespaces": ["esteira"]}] for store in stores.values())
    assert {spec["secretStoreRef"]["name"] for spec in found.values()} == set(stores)


@both
def test_secrets_that_are_mounted_are_those_that_are_made(environment: str) -> None:
    made = set(of_kind(environment, "ExternalSecret")) - {"settings"}
    for pod in pods(environment):
        (volume,) = [one for one in pod.spec["volumes"] if one["name"] == "secrets"]
        of_another = "database" if pod.name == "migrate" else OWNER
        assert set(pod.secrets) == made - {of_another}
        assert volume["projected"]["defaultMode"] == 0o440


@both
def test_only_the_migration_signs_in_as_the_owner_of_the_tables(environment: str) -> None:
    assert [pod.name for pod in pods(environment) if OWNER in str(pod.spec)] == ["migrate"]
    secrets = of_kind(environment, "ExternalSecret")
    kept = outputs(environment)["database_owner_secret_arn"]
    assert [name for name, made in secrets.items() if kept in str(made)] == [OWNER]
    from_where = {
        data["secretKey"]: (data["remoteRef"]["key"], data["remoteRef"]["property"])
        for data in secrets[OWNER]["spec"]["data"]
    }
    apps = f"{outputs(environment)['cluster_name']}/database"
    assert from_where == {
        "username": (kept, "username"), "password": (kept, "password"),
        "host": (apps, "host"), "dbname": (apps, "dbname"), "first": (apps, "password"),
    }  # fmt: skip


@both
def test_migration_grants_to_the_user_of_terraforms_secret(environment: str) -> None:
    (pod,) = [pod for pod in pods(environment) if pod.name == "migrate"]
    said = dict(word.split("=", 1) for word in pod.container["command"] if "=" in word)
    text = (TERRAFORM / "modules/database/rotation.tf").read_text(encoding="utf-8")
    user = re.search(r'username += "(\w+)"', text)
    assert user
    assert said == {"--grant": user[1], "--first-password-file": f"{pod.path_of('secrets')}/first-password"}
    template = of_kind(environment, "ExternalSecret")[OWNER]["spec"]["target"]["template"]["data"]
    assert template["first-password"] == "{{ .first }}"


# -- how many ---------------------------------------------------------------------------------------------------------


def test_pages_scale_on_processor_and_on_what_waits() -> None:
    hpa = one("prod", "HorizontalPodAutoscaler", "web")
    cpu, waiting = hpa["metrics"]
    assert cpu["resource"] == {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 65}}
    assert waiting["pods"]["target"] == {"type": "AverageValue", "averageValue": "20"}
    metric = waiting["pods"]["metric"]["name"]
    assert metric in {family.name for family in http.UNANSWERED.describe()}
    rules = applications("prod")["prometheus-adapter"]["spec"]["source"]["helm"]["valuesObject"]["rules"]["custom"]
    assert [rule["seriesQuery"].partition("{")[0] for rule in rules] == [metric]
    assert (hpa["minReplicas"], hpa["maxReplicas"]) == (3, 12)
    assert hpa["behavior"]["scaleUp"]["policies"] == [{"type": "Percent", "value": 100, "periodSeconds": 30}]
    assert hpa["behavior"]["scaleDown"]["stabilizationWindowSeconds"] == 300


@both
def test_nothing_is_scaled_by_two(environment: str) -> None:
    by_keda = {made["spec"]["scaleTargetRef"]["name"] for made in of_kind(environment, "ScaledObject").values()}
    by_hpa = {
        made["spec"]["scaleTargetRef"]["name"] for made in of_kind(environment, "HorizontalPodAutoscaler").values()
    }
    fixed = {name for name, made in of_kind(environment, "Deployment").items() if "replicas" in made["spec"]}
    assert not by_keda & by_hpa
    assert not (by_keda | by_hpa) & fixed
    assert by_keda | by_hpa | fixed == set(of_kind(environment, "Deployment"))


@both
def test_workers_follow_the_queue(environment: str) -> None:
    worker = {trigger["name"]: trigger for trigger in one(environment, "ScaledObject", "worker")["triggers"]}
    assert "esteira_queue_messages" in worker["messages"]["metadata"]["query"]
    assert "esteira_queue_oldest_message_seconds" in worker["age"]["metadata"]["query"]
    assert worker["age"]["metricType"] == "Value", "a sum of ages says nothing"
    consumer = one(environment, "ScaledObject", "consumer")["triggers"][0]
    metadata = consumer["metadata"]
    assert (consumer["type"], metadata["queueLength"], metadata["scaleOnInFlight"]) == ("aws-sqs-queue", "200", "false")
    assert metadata["queueURLFromEnv"] in contract.settings(environment)
    authentication = one(environment, "TriggerAuthentication", consumer["authenticationRef"]["name"])
    assert authentication == {"podIdentity": {"provider": "aws"}}
    if environment == "prod":
        for name, least, number in (("worker", 2, 10), ("consumer", 2, 20)):
            spec = one(environment, "ScaledObject", name)
            assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (least, number)
            assert spec["fallback"]["behavior"] == "currentReplicasIfHigher"


def test_staging_sleeps_when_its_machines_do() -> None:
    scaled = of_kind("staging", "ScaledObject")
    assert {made["spec"]["scaleTargetRef"]["name"] for made in scaled.values()} == set(of_kind("staging", "Deployment"))
    text = (TERRAFORM / "modules/off_hours/main.tf").read_text(encoding="utf-8")
    hours = {name: re.search(rf'"{name}-.*cron\(0 (\d+) \? \* MON-FRI', text) for name in ("sleep", "wake")}
    (zone,) = [
        block.body["default"]
        for block in blocks_of(TERRAFORM / "modules/off_hours", "variable")
        if block.name == "timezone"
    ]
    for made in scaled.values():
        spec = made["spec"]
        (cron,) = [trigger for trigger in spec["triggers"] if trigger["type"] == "cron"]
        for end, name in (("start", "wake"), ("end", "sleep")):
            hour = hours[name]
            assert hour
            assert cron["metadata"][end] == f"0 {hour[1]} * * 1-5"
        assert cron["metadata"]["timezone"] == zone
        assert (spec["minReplicaCount"], "fallback" in spec) == (0, False)
        # Whatever waits at night, it wakes nobody: only the clock does.
        for trigger in spec["triggers"]:
            if trigger["type"] not in {"cron", "cpu"}:
                wakes_at = trigger["metadata"].get("activationThreshold") or trigger["metadata"].get(
                    "activationQueueLength"
                )
                assert float(wakes_at or 0) >= 10**9
    assert not of_kind("staging", "HorizontalPodAutoscaler")
    assert not any(
        trigger["type"] == "cron"
        for made in of_kind("prod", "ScaledObject").values()
        for trigger in made["spec"]["triggers"]
    )


@both
def test_namespace_has_room_for_all_at_their_most(environment: str) -> None:
    hard = one(environment, "ResourceQuota", "namespace")["hard"]
    needed = dict.fromkeys(
        ("requests.cpu", "requests.memory", "limits.cpu", "limits.memory", "requests.ephemeral-storage"), 0.0
    )
    count = 0
    (limit,) = one(environment, "LimitRange", "containers")["limits"]
    for pod in pods(environment):
        number = most(environment, pod.name) if pod.kind == "Deployment" else 1
        number += -(-number // 4) if pod.kind == "Deployment" else 0  # a release's surge
        number += pod.kind == "CronJob"
        count += number
        for what in needed:
            side, _, name = what.partition(".")
            needed[what] += number * amount(pod.container["resources"][side][name])
        assert all(
            amount(pod.container["resources"]["limits"][name]) <= amount(size) for name, size in limit["max"].items()
        )
    assert {what for what, size in needed.items() if size > amount(hard[what])} == set()
    assert count <= int(hard["pods"])
    assert hard["services.loadbalancers"] == hard["services.nodeports"] == "0"
    assert set(limit["default"]) == set(limit["defaultRequest"]) == {"cpu", "memory", "ephemeral-storage"}


@both
def test_database_has_connections_for_all_at_their_most(environment: str) -> None:
    text = (TERRAFORM / "envs" / environment / "tests/env.tftest.hcl").read_text(encoding="utf-8")
    found = re.search(r"max_connections == (\d+)", text)
    assert found
    processes = sum(most(environment, name) for name in of_kind(environment, "Deployment"))
    # A release has half as many again for a while; the alert says four fifths.
    assert 1.25 * processes * CONNECTIONS < 0.8 * int(found[1])


# -- a release --------------------------------------------------------------------------------------------------------


def applications(environment: str) -> dict[str, dict[str, Any]]:
    return {made["metadata"]["name"]: made for made in manifests.argocd(environment) if made["kind"] == "Application"}


def _wave(made: dict[str, Any]) -> int:
    return int(made["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"])


@both
def test_migration_comes_before_the_release_and_after_what_it_needs(environment: str) -> None:
    job = of_kind(environment, "Job")["migrate"]
    annotations = job["metadata"]["annotations"]
    assert annotations["argocd.argoproj.io/hook"] == "PreSync"
    assert annotations["argocd.argoproj.io/hook-delete-policy"] == "BeforeHookCreation"
    assert (_wave(job), job["spec"]["activeDeadlineSeconds"], job["spec"]["backoffLimit"]) == (-5, 900, 2)
    (pod,) = [pod for pod in pods(environment) if pod.name == "migrate"]
    assert environ(environment, pod)["ESTEIRA_DB_LOCK_TIMEOUT_MS"] == "5000"
    assert "--no-accounts" in pod.container["command"], "a password would stand in a log"
    waves = {name: _wave(made) for name, made in applications(environment).items()}
    assert waves["ground"] < waves["esteira"]
    # What it mounts and is told: in the ground, or a hook of an earlier wave.
    settings = of_kind(environment, "ConfigMap")["migrate"]
    assert settings["metadata"]["annotations"]["argocd.argoproj.io/hook"] == "PreSync"
    assert _wave(settings) < _wave(job)
    standing = {(made["kind"], made["metadata"]["name"]) for made in manifests.ground(environment)}
    assert ("ServiceAccount", "migrate") in standing
    assert all(("ExternalSecret", name) in standing for name in pod.secrets)
    for volume in pod.spec["volumes"]:
        claim = volume.get("persistentVolumeClaim", {}).get("claimName")
        assert claim is None or ("PersistentVolumeClaim", claim) in standing
        config = volume.get("configMap", {}).get("name")
        assert config is None or ("ConfigMap", config) in standing
    told = of_kind(environment, "ConfigMap")
    (platform,) = [made["data"] for name, made in told.items() if name.startswith("platform-")]
    assert settings["data"] == platform


@both
def test_charts_of_others_are_pinned_and_come_first(environment: str) -> None:
    found = applications(environment)
    charts = {name: made for name, made in found.items() if "chart" in made["spec"]["source"]}
    assert set(charts) == {
        "aws-load-balancer-controller", "cluster-autoscaler", "external-secrets", "keda", "kube-prometheus-stack",
        "kyverno", "prometheus-adapter", "reloader",
    }  # fmt: skip
    projects = {
        made["metadata"]["name"]: made["spec"] for made in manifests.argocd(environment) if made["kind"] == "AppProject"
    }
    for name, made in found.items():
        spec = made["spec"]
        project = projects[spec["project"]]
        assert spec["source"]["repoURL"] in project["sourceRepos"]
        assert spec["destination"] in project["destinations"]
        assert spec["syncPolicy"]["automated"] == {"prune": True, "selfHeal": True}
        if name in charts:
            assert re.fullmatch(r"\d+\.\d+\.\d+", spec["source"]["targetRevision"])
            assert _wave(made) < _wave(found["cluster"]) < _wave(found["ground"])
        else:
            assert (K8S.parent.parent / spec["source"]["path"] / "kustomization.yaml").exists()
            assert spec["source"]["targetRevision"] == f"deployed/{environment}", "which a release writes"
    assert found["esteira"]["spec"]["ignoreDifferences"][0]["jsonPointers"] == ["/spec/replicas"]
    assert "RespectIgnoreDifferences=true" in found["esteira"]["spec"]["syncPolicy"]["syncOptions"]
    assert {kind["kind"] for kind in projects["esteira"]["clusterResourceWhitelist"]} == {
        "Namespace",
        "PersistentVolume",
    }


def test_production_changes_on_no_weekend() -> None:
    (project,) = [
        made["spec"]
        for made in manifests.argocd("prod")
        if made["metadata"]["name"] == "esteira" and made["kind"] == "AppProject"
    ]
    (window,) = project["syncWindows"]
    assert (window["kind"], window["manualSync"], window["applications"]) == ("deny", True, ["esteira"])


@both
def test_images_are_of_the_registry_and_of_one_release(environment: str) -> None:
    said = outputs(environment)
    images = {pod.container["image"] for pod in pods(environment)}
    (image,) = images
    assert image.startswith(said["repository_urls_platform"] + "@sha256:")
    steps = {
        made["data"]["ESTEIRA_BATCH_IMAGE"]
        for made in of_kind(environment, "ConfigMap").values()
        if "ESTEIRA_BATCH_IMAGE" in made["data"]
    }
    (step,) = steps
    assert re.fullmatch(re.escape(said["repository_urls_steps"]) + r"@sha256:[0-9a-f]{64}", step)


def test_images_without_a_digest_are_refused_by_the_cluster() -> None:
    policy = one("prod", "ValidatingAdmissionPolicy", "esteira-images")
    assert policy["failurePolicy"] == "Fail"
    assert sum("@sha256:[0-9a-f]{64}$" in rule["expression"] for rule in policy["validations"]) == 2
    binding = one("prod", "ValidatingAdmissionPolicyBinding", "esteira-images")
    assert (binding["policyName"], binding["validationActions"]) == ("esteira-images", ["Deny"])
    assert binding["matchResources"]["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "esteira"}


def test_only_what_the_release_workflow_has_signed_is_let_in() -> None:
    policy = one("prod", "ImageValidatingPolicy", "esteira-signatures")
    assert (policy["failurePolicy"], policy["validationActions"]) == ("Fail", ["Deny"])
    assert policy["matchConstraints"]["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "esteira"}
    assert policy["matchImageReferences"] == [{"glob": "*"}]
    (attestor,) = policy["attestors"]
    (who,) = attestor["cosign"]["keyless"]["identities"]
    signs = read((ROOT / ".github/workflows/release.yml").read_text(encoding="utf-8"))
    assert signs["on"] == {"push": {"branches": ["main"]}}
    assert who == {
        "issuer": "https://token.actions.githubusercontent.com",
        "subject": "https://github.com/OWNER/NAME/.github/workflows/release.yml@refs/heads/main",
    }
    assert f"--certificate-identity {who['subject']}" in (ROOT / "docs/release.md").read_text(encoding="utf-8")
    asked = [rule["expression"] for rule in policy["validations"]]
    assert [word for word in ("containers", "initContainers") if any(f"images.{word}." in one for one in asked)] == [
        "containers",
        "initContainers",
    ]
    assert all("[attestors.release]" in one and one.endswith(".all(count, count > 0)") for one in asked)


# -- watching ---------------------------------------------------------------------------------------------------------


@both
def test_prometheus_finds_both_kinds_of_metrics(environment: str) -> None:
    for name in ("web", "exporter"):
        monitor = one(environment, "ServiceMonitor", name)
        service = of_kind(environment, "Service")[name]
        assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
        assert [endpoint["port"] for endpoint in monitor["endpoints"]] == ["metrics"]
        assert "metrics" in {port["name"] for port in service["spec"]["ports"]}
    stack = applications(environment)["kube-prometheus-stack"]["spec"]["source"]["helm"]["valuesObject"]
    chosen = stack["prometheus"]["prometheusSpec"]
    assert chosen["ruleSelectorNilUsesHelmValues"] is chosen["serviceMonitorSelectorNilUsesHelmValues"] is False
    assert of_kind(environment, "PrometheusRule")["esteira"]["spec"]["groups"]
    boards = of_kind(environment, "ConfigMap")["dashboards"]
    assert boards["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert {f"{path.name}" for path in (ROOT / "deploy/observability/dashboards").glob("*.json")} == set(boards["data"])


def test_nobody_is_woken_because_staging_sleeps() -> None:
    stack = applications("staging")["kube-prometheus-stack"]["spec"]["source"]["helm"]["valuesObject"]
    config = stack["alertmanager"]["config"]
    assert all(route["mute_time_intervals"] == ["night"] for route in config["route"]["routes"])
    assert [interval["name"] for interval in config["time_intervals"]] == ["night"]


@both
def test_logs_lie_where_every_pod_finds_them(environment: str) -> None:
    volume = one(environment, "PersistentVolume", "esteira-storage")
    claim = one(environment, "PersistentVolumeClaim", "storage")
    assert volume["csi"] == {"driver": "efs.csi.aws.com", "volumeHandle": outputs(environment)["shared_folder"]}
    assert volume["accessModes"] == claim["accessModes"] == ["ReadWriteMany"]
    assert volume["persistentVolumeReclaimPolicy"] == "Retain"
    assert "tls" in volume["mountOptions"]
    assert volume["claimRef"] == {"namespace": "esteira", "name": "storage"}
    for pod in pods(environment):
        assert pod.path_of("storage") == environ(environment, pod)["ESTEIRA_HOME"] + "/storage"
