"""What deploy/k8s has of other files, written anew: `make infra-docs` calls it."""

from __future__ import annotations

from typing import Any, Final

import yaml

from tests.deploy.kubectl import ROOT

RULES: Final = ROOT / "deploy/observability/rules.yaml"
PROMETHEUS_RULE: Final = ROOT / "deploy/k8s/components/monitoring/prometheus-rule.yaml"
_HEAD: Final = "# Made by `make infra-docs` from deploy/observability/rules.yaml, which is the one to change.\n"


def prometheus_rule() -> str:
    rule: dict[str, Any] = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "esteira"},
        "spec": yaml.safe_load(RULES.read_text(encoding="utf-8")),
    }
    return _HEAD + yaml.safe_dump(rule, sort_keys=False, allow_unicode=True, width=150)


if __name__ == "__main__":
    PROMETHEUS_RULE.write_text(prometheus_rule(), encoding="utf-8")
