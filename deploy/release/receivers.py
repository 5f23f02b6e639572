"""Whom the cluster's alerts reach, as the values of Alertmanager's chart say."""

from __future__ import annotations

from typing import Any, Final

import yaml

CHART: Final = "deploy/k8s/argocd/base/platform/kube-prometheus-stack.yaml"
NOBODY: Final = "nobody"
"""Where what has no severity goes, on purpose."""


def deaf(application: str) -> list[str]:
    """Receivers to which a route leads and which tell nobody."""
    config = yaml.safe_load(application)["spec"]["source"]["helm"]["valuesObject"]["alertmanager"]["config"]
    reach = {one["name"]: any(key.endswith("_configs") and one[key] for key in one) for one in config["receivers"]}
    return sorted(name for name in set(_named(config["route"])) - {NOBODY} if not reach.get(name))


def _named(route: dict[str, Any]) -> list[str]:
    return [str(route["receiver"]), *(name for one in route.get("routes", []) for name in _named(one))]
