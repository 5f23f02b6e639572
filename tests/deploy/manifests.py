"""deploy/k8s as the cluster would be given it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from tests.deploy import kubectl
from tests.infra.blocks import TERRAFORM
from tests.infra.blocks import of_kind as blocks_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

K8S: Final = kubectl.ROOT / "deploy/k8s"
ENVIRONMENTS: Final = ("staging", "prod")
CONTROLLERS: Final = ("Deployment", "Job", "CronJob")


def folders() -> list[Path]:
    """Whatever Argo CD is told to build."""
    overlays = [K8S / "overlays" / one / part for one in ENVIRONMENTS for part in ("ground", "app")]
    return [*overlays, *(K8S / "argocd" / one for one in ENVIRONMENTS), K8S / "platform"]


def ground(environment: str) -> list[dict[str, Any]]:
    return kubectl.build(K8S / "overlays" / environment / "ground")


def app(environment: str) -> list[dict[str, Any]]:
    return kubectl.build(K8S / "overlays" / environment / "app")


def argocd(environment: str) -> list[dict[str, Any]]:
    return kubectl.build(K8S / "argocd" / environment)


def platform() -> list[dict[str, Any]]:
    return kubectl.build(K8S / "platform")


@cache
def everything(environment: str) -> tuple[dict[str, Any], ...]:
    return (*ground(environment), *app(environment))


def of_kind(environment: str, kind: str) -> dict[str, dict[str, Any]]:
    """By name."""
    found = [one for one in (*everything(environment), *platform()) if one["kind"] == kind]
    return {one["metadata"]["name"]: one for one in found}


def one(environment: str, kind: str, name: str) -> Any:
    return of_kind(environment, kind)[name]["spec"]


@dataclass(frozen=True, slots=True)
class Pod:
    """The pod that a Deployment, Job or CronJob makes."""

    kind: str
    name: str
    spec: dict[str, Any]
    controller: dict[str, Any]
    annotations: dict[str, str]
    labels: dict[str, str]

    @property
    def container(self) -> dict[str, Any]:
        (found,) = self.spec["containers"]
        return dict(found)

    @property
    def secrets(self) -> list[str]:
        """Those that are mounted as its settings."""
        sources = [one["projected"]["sources"] for one in self.spec["volumes"] if "projected" in one]
        return [source["secret"]["name"] for found in sources for source in found]

    def path_of(self, volume: str) -> str:
        return str(next(one["mountPath"] for one in self.container["volumeMounts"] if one["name"] == volume))


def pods(environment: str) -> list[Pod]:
    return list(_pods(environment))


def served(environment: str) -> list[Pod]:
    """Those that stay."""
    return [pod for pod in _pods(environment) if pod.kind == "Deployment"]


def _pods(environment: str) -> Iterator[Pod]:
    for one in everything(environment):
        if one["kind"] in CONTROLLERS:
            spec = one["spec"]
            inner = spec["jobTemplate"]["spec"] if one["kind"] == "CronJob" else spec
            meta, template = one["metadata"], inner["template"]
            labels = template["metadata"]["labels"]
            yield Pod(one["kind"], meta["name"], template["spec"], spec, meta.get("annotations", {}), labels)


def environ(environment: str, pod: Pod) -> dict[str, str]:
    """What the container's process finds in its environment, but for the settings that Terraform writes."""
    maps = {one["metadata"]["name"]: one["data"] for one in everything(environment) if one["kind"] == "ConfigMap"}
    found: dict[str, str] = {}
    for source in pod.container["envFrom"]:
        if "configMapRef" in source:
            found |= maps[source["configMapRef"]["name"]]
    return found | {one["name"]: one["value"] for one in pod.container["env"]}


def most(environment: str, name: str) -> int:
    """How many pods of a Deployment there may be."""
    scaled = of_kind(environment, "ScaledObject")
    if name in scaled:
        return int(scaled[name]["spec"]["maxReplicaCount"])
    hpas = of_kind(environment, "HorizontalPodAutoscaler")
    if name in hpas:
        return int(hpas[name]["spec"]["maxReplicas"])
    return int(one(environment, "Deployment", name)["replicas"])


_UNITS: Final = {"m": 0.001, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}


def amount(said: str) -> float:
    for unit, size in _UNITS.items():
        if said.endswith(unit):
            return float(said.removesuffix(unit)) * size
    return float(said)


def literal(module: str, resource: str, argument: str) -> Any:
    """What Terraform says, where it says it as it is."""
    found = blocks_of(TERRAFORM / "modules" / module, "resource")
    return next(block.body[argument] for block in found if block.name == resource)


def called(environment: str, module: str) -> dict[str, Any]:
    found = blocks_of(TERRAFORM / "envs" / environment, "module")
    return next(block.body for block in found if block.name == module)
