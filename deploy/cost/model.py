"""What an environment costs in a month: `python -m deploy.cost.model` prints the table of all scenarios.

Steady state: files have been coming for as long as they are kept. Machines of steps, S3's classes and state transitions
are priced by the product's own table, so that a job's page and this one cannot differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from orchestration.engines.step_functions.scale import DAY_S, MOST_RUNS_A_SECOND, transitions

HERE: Final = Path(__file__).parent
SCENARIOS: Final = ("staging", "prod", "prod-10m")
PRODUCT: Final = HERE.parents[1] / "orchestration/cost/prices.yaml"
HOURS: Final = 730
DAYS: Final = 30
DISK_GB: Final = 50
MEMORY_GIB: Final = 2
"""Of a step, with its one vCPU."""
RETRIED: Final = 0.05
PACKED: Final = 0.8
"""How much of the machines that Batch starts is used by steps."""
EVENTS_A_CHILD: Final = 2
PARTS: Final = 3
"""Requests that write, for each file: begin, part, complete, or one whole."""
UPLOADS_KEPT: Final = 365
RESULTS_KEPT: Final = 1826
CLASSES: Final = ((0, "s3_standard"), (30, "s3_infrequent_access"), (90, "s3_glacier_instant"))
"""As the lifecycle rules of modules/file_store move files."""
RULES: Final = 7


@dataclass(frozen=True, slots=True)
class Prices:
    ours: dict[str, Any]
    product: dict[str, Any]

    @classmethod
    def read(cls) -> Prices:
        ours, product = (yaml.safe_load(file.read_text(encoding="utf-8")) for file in (HERE / "prices.yaml", PRODUCT))
        return cls(ours, product["prices"])

    def __getitem__(self, name: str) -> float:
        return float((self.ours if name in self.ours else self.product)[name]["value"])


def scenario(name: str) -> dict[str, Any]:
    return dict(yaml.safe_load((HERE / f"scenarios/{name}.yaml").read_text(encoding="utf-8")))


def month(said: dict[str, Any], prices: Prices) -> dict[str, float]:
    """USD by what it is for."""
    files = said["files_a_day"] * DAYS
    return {
        "cluster and its machines": _cluster(said, prices),
        "database": _database(said, prices),
        "steps": _steps(files, said, prices),
        "state machine": _runs(said) * DAYS * transitions(said["steps"]) * prices["state_transition"],
        "files": _stored(said, prices) + files * PARTS * prices["s3_put"] / 1000,
        "malware scan": scanned(said, prices),
        "events": files * said["steps"] * EVENTS_A_CHILD / _gathered(said) * prices["sqs_million"] / 1e6,
        "network": _network(said, prices),
        "edge": _edge(said, prices),
        "logs and alarms": said["logs_gb"] * prices["logs_gb"] + said["alarms"] * prices["alarm"],
        "audit, keys, secrets": _audit(files, said, prices),
    }


def _cluster(said: dict[str, Any], prices: Prices) -> float:
    nodes, awake = said["nodes"], said["awake_share"]
    on_demand = nodes["on_demand"] * awake + nodes["night"] * (1 - awake)
    spot = nodes["spot"] * awake
    machines = (on_demand + spot * prices["spot_share"]) * prices["m7i_large_hour"] * HOURS
    return float(prices["cluster_hour"] * HOURS + machines + (on_demand + spot) * DISK_GB * prices["gp3_gb"])


def _database(said: dict[str, Any], prices: Prices) -> float:
    """It sleeps where its environment does. Its backups are of its own size, here and in another region."""
    asked = said["database"]
    units = asked["acu"] * asked["instances"] * prices["acu_hour"] * HOURS * said["awake_share"]
    kept = asked["gb"] * (prices["database_gb"] + 2 * prices["backup_gb"])
    return float(units + kept + asked["million_ios"] * prices["database_io"])


def _steps(files: float, said: dict[str, Any], prices: Prices) -> float:
    hour = prices["vcpu_hour"] + MEMORY_GIB * prices["memory_gib_hour"]
    share = said["spot_share"] * prices["spot_share"] + 1 - said["spot_share"]
    return float(files * said["seconds"] / 3600 * hour * share * (1 + RETRIED) / PACKED)


def _runs(said: dict[str, Any]) -> float:
    """A day: one for each file, until there are more than the platform starts."""
    return float(min(said["files_a_day"], MOST_RUNS_A_SECOND * DAY_S))


def _gathered(said: dict[str, Any]) -> float:
    return max(1.0, said["files_a_day"] / _runs(said)) if said["files_a_day"] else 1.0


def _stored(said: dict[str, Any], prices: Prices) -> float:
    a_day = said["files_a_day"]
    results = a_day * said["gb_out"] * gb_days(RESULTS_KEPT, prices)
    copy = a_day * said["gb_out"] * RESULTS_KEPT * prices["s3_glacier_instant"] if said["copies_results"] else 0
    return float(a_day * said["gb_in"] * gb_days(UPLOADS_KEPT, prices) + results + copy)


def gb_days(kept: int, prices: Prices) -> float:
    """What all GB cost in a month, of which one came each day and none is older than `kept`."""
    ends = [begin for begin, _ in CLASSES[1:]] + [kept]
    return sum((end - begin) * prices[price] for (begin, price), end in zip(CLASSES, ends, strict=True))


def scanned(said: dict[str, Any], prices: Prices) -> float:
    one = said["gb_in"] * prices["malware_gb"] + prices["malware_thousand"] / 1000
    return float(said["files_a_day"] * DAYS * one) if said["scans"] else 0.0


def _network(said: dict[str, Any], prices: Prices) -> float:
    gateways = said["nat_gateways"] * (prices["nat_hour"] + prices["address_hour"]) * HOURS
    return float(
        gateways + said["endpoints"] * 3 * prices["endpoint_hour"] * HOURS + said["logs_gb"] * prices["nat_gb"]
    )


def _edge(said: dict[str, Any], prices: Prices) -> float:
    millions = said["requests_million"]
    firewall = prices["firewall"] + RULES * prices["firewall_rule"] + millions * prices["firewall_million"]
    balancer = (prices["balancer_hour"] + prices["balancer_unit_hour"]) * HOURS
    return float(said["edge_gb"] * prices["edge_gb"] + millions * prices["edge_million"] + firewall + balancer)


def _audit(files: float, said: dict[str, Any], prices: Prices) -> float:
    fixed = said["keys"] * prices["key"] + said["secrets"] * prices["secret"]
    writes = files * PARTS / 100_000 * prices["trail_hundred_thousand"]
    return float(fixed + said["config_items"] * prices["config_item"] + writes)


def table() -> str:
    prices = Prices.read()
    months = {name: month(scenario(name), prices) for name in SCENARIOS}
    heads = ("USD a month", *SCENARIOS)
    rows = [(what, *(f"{months[name][what]:,.0f}" for name in SCENARIOS)) for what in months[SCENARIOS[0]]]
    total = ("**together**", *(f"**{sum(months[name].values()):,.0f}**" for name in SCENARIOS))
    lines = [heads, ("---", *("---:" for _ in SCENARIOS)), *rows, total]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


if __name__ == "__main__":
    print(table())
