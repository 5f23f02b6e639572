"""Whether a release is out, and whether it burns the error budget: asked of Prometheus, until the time is over.

    python -m deploy.release.watch prod --commit COMMIT --prometheus https://… --minutes 30

What nobody can see is not good: a Prometheus that is silent, or knows no web process, ends it too.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from deploy.release.faults import ReleaseFault, told
from deploy.release.prometheus import BlindError, Prometheus
from deploy.release.promote import ENVIRONMENTS, Branches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PAUSE_S: Final = 15
BLIND_AT_MOST: Final = 4
"""Looks in a row that Prometheus may miss: it is rolled too."""
IMAGE: Final = "platform"

# As kube-state-metrics tells them: pods that are ready with the digest, and pods that still run with another.
READY: Final = (
    'sum(kube_pod_container_info{{namespace="{namespace}",container="web",image_spec=~".+@{digest}"}}'
    ' * on (namespace, pod) group_left () kube_pod_status_ready{{namespace="{namespace}",condition="true"}})'
)
BEHIND: Final = (
    'sum(kube_pod_container_info{{namespace="{namespace}",image_spec=~".+/{image}@.+",image_spec!~".+@{digest}"}}'
    ' * on (namespace, pod) group_left () kube_pod_status_phase{{namespace="{namespace}",phase="Running"}})'
)
# Only the short windows: the long ones of the alerts would still speak of the release before.
BURNING: Final = {
    "requests fail 14.4 times as often as the objective allows": (
        "esteira:http_errors:ratio5m > 14.4 * 0.001"
        ' and sum(rate(esteira_http_requests_total{route!~"/health/.*"}[5m])) > 0.02'
    ),
    "three requests in ten are slow": (
        "esteira:http_slow:ratio5m > 6 * 0.05"
        ' and sum(rate(esteira_http_requests_total{route!~"/health/.*"}[5m])) > 0.02'
    ),
}
SEEN: Final = "sum(esteira_http_requests_in_progress)"
PAGES: Final = 'ALERTS{severity="page",alertstate="firing"}'


@dataclass(slots=True)
class Watch:
    prometheus: Prometheus
    namespace: str
    sleep: Callable[[float], None] = time.sleep
    blind: int = field(default=0, init=False)

    def until_out(self, digest: str, minutes: float) -> None:
        """Raises ReleaseFault unless every pod of the platform is at the digest, and one at least is ready."""
        where = {"namespace": self.namespace, "digest": digest, "image": IMAGE}
        ready = behind = 0.0
        for _ in self._times(minutes):
            counts = self._look(lambda: (self._count(READY.format(**where)), self._count(BEHIND.format(**where))))
            ready, behind = counts or (ready, behind)
            if counts and ready >= 1 and behind == 0:
                print(f"{digest} is out: {ready:.0f} web pods are ready.")
                return
        raise ReleaseFault(
            f"{digest} is not out after {minutes:g} minutes: {ready:.0f} web pods are ready, {behind:.0f} are behind."
        )

    def while_it_is_new(self, minutes: float, *, known: frozenset[str]) -> None:
        """`known`: alerts that rang before. Raises ReleaseFault at the first sign that things are worse."""
        for _ in self._times(minutes):
            self._look(lambda: self._is_good(known))
        print(f"The objectives held for {minutes:g} minutes.")

    def ringing(self) -> frozenset[str]:
        return frozenset(labels["alertname"] for labels, _ in self.prometheus.ask(PAGES))

    def _is_good(self, known: frozenset[str]) -> None:
        if self.prometheus.number(SEEN) is None:
            raise BlindError("Prometheus sees no web process.")
        for sign, query in BURNING.items():
            if (found := self.prometheus.number(query)) is not None:
                raise ReleaseFault(f"Since this release {sign}: {found:.2%}.")
        if new := sorted(self.ringing() - known):
            raise ReleaseFault(f"Since this release it rings: {', '.join(new)}.")

    def _times(self, minutes: float) -> Iterator[int]:
        for look in range(max(1, round(minutes * 60 / PAUSE_S))):
            if look:
                self.sleep(PAUSE_S)
            yield look

    def _count(self, query: str) -> float:
        return self.prometheus.number(query) or 0.0

    def _look[T](self, look: Callable[[], T]) -> T | None:
        try:
            found = look()
        except BlindError:
            self.blind += 1
            if self.blind > BLIND_AT_MOST:
                raise
            return None
        self.blind = 0
        return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("environment", choices=ENVIRONMENTS)
    parser.add_argument("--commit", help="of the environment's branch: wait until its digest is out")
    parser.add_argument("--prometheus", required=True, metavar="URL")
    parser.add_argument("--namespace", default="esteira")
    parser.add_argument("--rollout-minutes", type=float, default=20)
    parser.add_argument("--minutes", type=float, default=0, help="to watch the objectives for, after that")
    parser.add_argument("--known", default="", help="alerts that rang before, with commas")
    parser.add_argument("--ringing", action="store_true", help="only say which pages ring now, as known=…")
    asked = parser.parse_args()
    watch = Watch(Prometheus(asked.prometheus), asked.namespace)
    with told():
        if asked.ringing:
            print(f"known={','.join(sorted(watch.ringing()))}")
            return
        if asked.commit:
            images = Branches(Path.cwd()).images(asked.environment, asked.commit)
            watch.until_out(images[IMAGE], asked.rollout_minutes)
        if asked.minutes:
            watch.while_it_is_new(asked.minutes, known=frozenset(filter(None, asked.known.split(","))))


if __name__ == "__main__":
    main()
