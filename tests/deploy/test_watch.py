"""A release is watched: it goes on only when it is out and the objectives hold, and silence counts as bad."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
import yaml

from deploy.release.faults import ReleaseFault
from deploy.release.prometheus import BlindError, Prometheus
from deploy.release.watch import BEHIND, BLIND_AT_MOST, BURNING, PAGES, READY, SEEN, Watch
from tests.deploy.prometheus_double import Double, serving
from tests.observability.test_rules import ALERTS, RECORDED, RULES, promtool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

DIGEST = f"sha256:{'a' * 64}"
OTHER = f"sha256:{'b' * 64}"
type Vector = list[tuple[dict[str, str], float]]


class Cluster:
    """What Prometheus would say of it."""

    def __init__(self) -> None:
        self.ready, self.behind = 2.0, 0.0
        self.in_progress: float | None = 1.0
        self.burns: dict[str, float] = {}
        self.rings: list[str] = []
        self.is_silent = False

    def __call__(self, query: str) -> Vector | None:
        if self.is_silent:
            return None
        if "kube_pod_status_ready" in query:
            return [({}, self.ready)]
        if "kube_pod_status_phase" in query:
            return [({}, self.behind)] if self.behind else []
        if query == SEEN:
            return [] if self.in_progress is None else [({}, self.in_progress)]
        if query == PAGES:
            return [({"alertname": name}, 1.0) for name in self.rings]
        return [({}, ratio) for sign, ratio in self.burns.items() if BURNING[sign] == query]


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
def double(cluster: Cluster) -> Iterator[Double]:
    with serving(Double(cluster)) as double:
        yield double


@pytest.fixture
def watch(double: Double) -> Watch:
    return Watch(Prometheus(double.url), "esteira", sleep=lambda _: None)


def after(looks: int, what: Callable[[], None]) -> Callable[[float], None]:
    """A pause in which, after so many looks, something happens."""
    passed = iter(range(1, 1000))

    def sleep(_seconds: float) -> None:
        if next(passed) == looks:
            what()

    return sleep


def test_release_is_out_when_nothing_is_behind(watch: Watch, cluster: Cluster) -> None:
    cluster.behind = 3

    def rolled() -> None:
        cluster.behind = 0

    watch.sleep = after(3, rolled)
    watch.until_out(DIGEST, minutes=5)


@pytest.mark.parametrize(("ready", "behind"), [(0, 0), (2, 1)])
def test_release_that_does_not_come_out_ends_it(watch: Watch, cluster: Cluster, ready: int, behind: int) -> None:
    cluster.ready, cluster.behind = ready, behind
    with pytest.raises(ReleaseFault, match=f"{ready} web pods are ready, {behind} are behind"):
        watch.until_out(DIGEST, minutes=5)


def test_good_release_is_watched_to_the_end(watch: Watch, double: Double) -> None:
    watch.while_it_is_new(minutes=10, known=frozenset())
    assert double.queries.count(SEEN) == 40


@pytest.mark.parametrize("sign", BURNING)
def test_burning_budget_ends_it_at_once(watch: Watch, cluster: Cluster, double: Double, sign: str) -> None:
    watch.sleep = after(2, lambda: cluster.burns.update({sign: 0.02}))
    with pytest.raises(ReleaseFault, match=re.escape(sign)):
        watch.while_it_is_new(minutes=10, known=frozenset())
    assert double.queries.count(SEEN) == 3


def test_new_alert_ends_it_and_an_old_one_does_not(watch: Watch, cluster: Cluster) -> None:
    cluster.rings = ["QueueStuck"]
    known = watch.ringing()
    watch.while_it_is_new(minutes=1, known=known)
    cluster.rings = ["QueueStuck", "DatabaseDown"]
    with pytest.raises(ReleaseFault, match="it rings: DatabaseDown"):
        watch.while_it_is_new(minutes=1, known=known)


def test_prometheus_that_sees_nobody_ends_it(watch: Watch, cluster: Cluster) -> None:
    cluster.in_progress = None
    with pytest.raises(BlindError, match="sees no web process"):
        watch.while_it_is_new(minutes=10, known=frozenset())


def test_prometheus_may_be_silent_for_a_moment_only(watch: Watch, cluster: Cluster) -> None:
    cluster.is_silent = True

    def speaks() -> None:
        cluster.is_silent = False

    watch.sleep = after(BLIND_AT_MOST, speaks)
    watch.while_it_is_new(minutes=10, known=frozenset())
    watch.sleep = lambda _: None
    cluster.is_silent = True
    with pytest.raises(BlindError, match="no answer"):
        watch.while_it_is_new(minutes=10, known=frozenset())


def test_each_question_bears_a_token_of_the_run_made_for_this_prometheus(
    watch: Watch, double: Double, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_URL", f"{double.url}/token?api-version=2.0")
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "of-this-run")
    watch.ringing()
    watch.ringing()
    assert double.bearers == ["Bearer token-1", "Bearer token-2"]
    assert double.audiences == [double.url, double.url]


def test_outside_of_a_workflow_no_token_is_sent(watch: Watch, double: Double, monkeypatch: pytest.MonkeyPatch) -> None:
    for what in ("URL", "TOKEN"):
        monkeypatch.delenv(f"ACTIONS_ID_TOKEN_REQUEST_{what}", raising=False)
    watch.ringing()
    assert double.bearers == [""]


def test_what_is_asked_rests_on_the_rules() -> None:
    asked = " ".join([*BURNING.values(), PAGES])
    assert set(re.findall(r"esteira:[a-z_]+:[a-z0-9]+", asked)) <= RECORDED
    assert [name for name, rule in ALERTS.items() if rule["labels"]["severity"] == "page"]


POD = '{{namespace="esteira",pod="{pod}"'
WEB = '"123456789012.dkr.ecr.us-east-1.amazonaws.com/esteira-prod/platform@{digest}"'


def test_pods_are_counted_as_kube_state_metrics_tells_them(tmp_path: Path) -> None:
    """By Prometheus itself: ready ones with the digest, running ones with another; finished jobs do not count."""
    where = {"namespace": "esteira", "digest": DIGEST, "image": "platform"}

    def series(pod: str, container: str, digest: str, phase: str, ready: int) -> list[dict[str, str]]:
        labels = POD.format(pod=pod)
        image = WEB.format(digest=digest)
        return [
            {"series": f'kube_pod_container_info{labels},container="{container}",image_spec={image}}}', "values": "1"},
            {"series": f'kube_pod_status_ready{labels},condition="true"}}', "values": str(ready)},
            {"series": f'kube_pod_status_ready{labels},condition="false"}}', "values": str(1 - ready)},
            {"series": f'kube_pod_status_phase{labels},phase="Running"}}', "values": str(int(phase == "Running"))},
            {"series": f'kube_pod_status_phase{labels},phase="Succeeded"}}', "values": str(int(phase == "Succeeded"))},
        ]

    pods = [
        *series("web-1", "web", DIGEST, "Running", 1),
        *series("web-2", "web", DIGEST, "Running", 0),
        *series("web-3", "web", OTHER, "Running", 1),
        *series("worker-1", "worker", OTHER, "Running", 1),
        *series("migrate-1", "migrate", OTHER, "Succeeded", 0),
    ]
    checks = [
        {"expr": READY.format(**where), "eval_time": "0m", "exp_samples": [{"labels": "{}", "value": 1}]},
        {"expr": BEHIND.format(**where), "eval_time": "0m", "exp_samples": [{"labels": "{}", "value": 2}]},
        *({"expr": query, "eval_time": "0m", "exp_samples": []} for query in [*BURNING.values(), PAGES]),
    ]
    told = {"rule_files": [str(RULES)], "tests": [{"interval": "1m", "input_series": pods, "promql_expr_test": checks}]}
    (tmp_path / "watch.yaml").write_text(yaml.safe_dump(told))
    promtool("test", "rules", tmp_path / "watch.yaml")
