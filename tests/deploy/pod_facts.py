"""What must be true of each pod of ours, one a line; and of each that stays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tests.deploy.manifests import amount

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.deploy.manifests import Pod

DIGEST: Final = "@sha256:"


def _requests(pod: Pod, what: str) -> float:
    return amount(pod.container["resources"]["requests"][what])


def _limits(pod: Pod, what: str) -> float:
    return amount(pod.container["resources"]["limits"][what])


def _volumes(pod: Pod) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in pod.spec["volumes"]}


def _mounts_alone(pod: Pod, *names: str) -> bool:
    """Read-only, and no secret in the environment: settings are names and addresses."""
    mounted = {one["name"]: one for one in pod.container["volumeMounts"]}
    in_environment = [one["secretRef"]["name"] for one in pod.container["envFrom"] if "secretRef" in one]
    by_name = [one for one in pod.container["env"] if "valueFrom" in one]
    return all(mounted[name]["readOnly"] for name in names) and in_environment == ["settings"] and not by_name


ALL: Final[Mapping[str, Callable[[Pod], bool]]] = {
    "is nobody in particular": lambda pod: pod.spec["securityContext"]["runAsNonRoot"] and pod.spec["securityContext"]["runAsUser"] == 10001,
    "has the group of its volumes": lambda pod: pod.spec["securityContext"]["runAsGroup"] == pod.spec["securityContext"]["fsGroup"] == 10001,
    "has the runtime's filter of system calls": lambda pod: pod.spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"},
    "gets no token of the cluster": lambda pod: pod.spec["automountServiceAccountToken"] is False,
    "is told of no other service": lambda pod: pod.spec["enableServiceLinks"] is False,
    "gains no rights": lambda pod: pod.container["securityContext"]["allowPrivilegeEscalation"] is False,
    "has no capabilities": lambda pod: pod.container["securityContext"]["capabilities"] == {"drop": ["ALL"]},
    "cannot write to its image": lambda pod: pod.container["securityContext"]["readOnlyRootFilesystem"] is True,
    "shares nothing with its machine": lambda pod: not {"hostNetwork", "hostPID", "hostIPC"} & set(pod.spec) and not any("hostPath" in one for one in pod.spec["volumes"]),
    "names its image by digest": lambda pod: DIGEST in pod.container["image"],
    "pulls it once": lambda pod: pod.container["imagePullPolicy"] == "IfNotPresent",
    "has a bounded /tmp": lambda pod: "sizeLimit" in _volumes(pod)["tmp"]["emptyDir"] and pod.path_of("tmp") == "/tmp",  # noqa: S108  where programs look for it
    "has a bounded home": lambda pod: "sizeLimit" in _volumes(pod)["home"]["emptyDir"],
    "shares logs": lambda pod: _volumes(pod)["storage"]["persistentVolumeClaim"] == {"claimName": "storage"},
    "reads secrets from files": lambda pod: _mounts_alone(pod, "secrets", "database-ca"),
    "has the memory that it may use": lambda pod: _requests(pod, "memory") == _limits(pod, "memory") > 0,
    "has a share of a processor, and may use more": lambda pod: 0 < _requests(pod, "cpu") < _limits(pod, "cpu") <= 2,
    "has a bounded disk": lambda pod: 0 < _requests(pod, "ephemeral-storage") <= _limits(pod, "ephemeral-storage"),
    "has a place in the order": lambda pod: pod.spec["priorityClassName"].startswith("esteira-"),
    "is an account of its own": lambda pod: pod.spec["serviceAccountName"] == pod.name,
    "ends with its last words": lambda pod: pod.container["terminationMessagePolicy"] == "FallbackToLogsOnError",
}  # fmt: skip


def _strategy(pod: Pod) -> dict[str, object]:
    return dict(pod.controller["strategy"].get("rollingUpdate", {}))


STAYING: Final[Mapping[str, Callable[[Pod], bool]]] = {
    "keeps five revisions": lambda pod: pod.controller["revisionHistoryLimit"] == 5,
    "is asked whether it came up": lambda pod: pod.container["startupProbe"]["failureThreshold"] * pod.container["startupProbe"]["periodSeconds"] >= 120,
    "is asked whether it lives": lambda pod: "livenessProbe" in pod.container,
    "is asked whether it is ready": lambda pod: "readinessProbe" in pod.container,
    "is not missed while it is replaced": lambda pod: pod.name == "beat" or _strategy(pod)["maxUnavailable"] == 0,
    "is watched before it counts": lambda pod: pod.name == "beat" or pod.controller["minReadySeconds"] == 10,
    "is started anew when a secret changes": lambda pod: pod.annotations["reloader.stakater.com/auto"] == "true",
    "prefers its machines": lambda pod: pod.spec["affinity"]["nodeAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"][0]["preference"]["matchExpressions"][0]["key"] == "esteira/capacity",
}  # fmt: skip


def _spread(pod: Pod, topology: str) -> dict[str, object]:
    return next(one for one in pod.spec["topologySpreadConstraints"] if one["topologyKey"] == topology)


SEVERAL: Final[Mapping[str, Callable[[Pod], bool]]] = {
    "is spread over zones": lambda pod: _spread(pod, "topology.kubernetes.io/zone")["matchLabelKeys"] == ["pod-template-hash"],
    "is spread over machines": lambda pod: _spread(pod, "kubernetes.io/hostname")["matchLabelKeys"] == ["pod-template-hash"],
    "grows by a quarter": lambda pod: _strategy(pod)["maxSurge"] == "25%",
}  # fmt: skip
