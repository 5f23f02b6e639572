"""Whether charts of others take the values that deploy/k8s/argocd gives them, in the versions that are pinned.

    python -m deploy.release.charts

Asked of Helm, which passes a mistyped value by in silence. So each must be one of those that the chart names, or lie
below one that it leaves open; then the chart is rendered with them.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from deploy.release.faults import ReleaseFault, told

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER: Final = Path(__file__).resolve().parents[1] / "k8s/argocd/base/platform"
OF_CHARTS_WITHIN: Final = frozenset({"grafana/grafana.ini"})
"""Values of a chart that another one brings along, which names them itself."""


def look(folder: Path = FOLDER) -> None:
    for file in sorted(folder.glob("*.yaml")):
        source = yaml.safe_load(file.read_text(encoding="utf-8"))["spec"]["source"]
        chart = [source["chart"], "--repo", source["repoURL"], "--version", str(source["targetRevision"])]
        values = source["helm"]["valuesObject"]
        known = yaml.safe_load(_helm("show", "values", *chart))
        if strange := sorted(set(_strange(values, known, "")) - OF_CHARTS_WITHIN):
            raise ReleaseFault(f"{source['chart']} names no value {', '.join(strange)}.")
        if not _helm("template", "of-charts", *chart, "--values", "-", given=yaml.safe_dump(values)).strip():
            raise ReleaseFault(f"{source['chart']} makes nothing of its values.")


def _strange(given: Any, known: Any, where: str) -> Iterator[str]:
    if not isinstance(given, dict) or not known:
        return
    for name, value in given.items():
        if not isinstance(known, dict) or name not in known:
            yield f"{where}{name}"
        else:
            yield from _strange(value, known[name], f"{where}{name}/")


def _helm(*words: str, given: str = "") -> str:
    done = subprocess.run(["helm", *words], input=given, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ReleaseFault(f"helm {' '.join(words[:3])}: {done.stderr.strip()}")
    return done.stdout


if __name__ == "__main__":
    with told():
        look()
