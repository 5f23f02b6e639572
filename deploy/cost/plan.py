"""What the resources of a plan cost in a month, by module: as they stand, and with a scenario's files.

Of a plan only what is priced by its existence counts; what is priced by use comes from the scenario, by the same
formulae as the model's, so that both tables have the same sum but for what the plan has and the scenario only assumes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from deploy.cost.model import (
    CLASSES,
    DAYS,
    DISK_GB,
    HOURS,
    PARTS,
    RESULTS_KEPT,
    UPLOADS_KEPT,
    gb_days,
    month,
    scanned,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from deploy.cost.model import Prices

ZONES: Final = 3
type Planned = Mapping[str, Any]
type _Priced = Callable[[Planned, dict[str, Any], Prices], float]


def _machines(group: Planned, said: dict[str, Any], prices: Prices) -> float:
    """As many as the group has at least; asleep, those on demand that a scenario's night has."""
    is_spot = group["capacity_type"] == "SPOT"
    awake, night = said["awake_share"], 0 if is_spot else said["nodes"]["night"]
    count = group["scaling_config"][0]["min_size"] * awake + night * (1 - awake)
    hour = prices["m7i_large_hour"] * (prices["spot_share"] if is_spot else 1)
    return float(count * (hour * HOURS + DISK_GB * prices["gp3_gb"]))


def _endpoint(endpoint: Planned, _: dict[str, Any], prices: Prices) -> float:
    return ZONES * prices["endpoint_hour"] * HOURS if endpoint["vpc_endpoint_type"] == "Interface" else 0.0


def _alarm(alarm: Planned, _: dict[str, Any], prices: Prices) -> float:
    """By the numbers that it looks at."""
    looked_at = [query for query in alarm.get("metric_query") or [] if query.get("metric")]
    return max(1, len(looked_at)) * prices["alarm"]


STANDING: Final[Mapping[str, _Priced]] = {
    "aws_cloudwatch_metric_alarm": _alarm,
    "aws_eip": lambda _, __, prices: prices["address_hour"] * HOURS,
    "aws_eks_cluster": lambda _, __, prices: prices["cluster_hour"] * HOURS,
    "aws_eks_node_group": _machines,
    "aws_kms_key": lambda _, __, prices: prices["key"],
    "aws_lb": lambda _, __, prices: (prices["balancer_hour"] + prices["balancer_unit_hour"]) * HOURS,
    "aws_nat_gateway": lambda _, __, prices: prices["nat_hour"] * HOURS,
    # The master's secret, which RDS makes.
    "aws_rds_cluster": lambda _, __, prices: prices["secret"],
    "aws_rds_cluster_instance": lambda _, said, prices: (
        said["database"]["acu"] * prices["acu_hour"] * HOURS * said["awake_share"]
    ),
    "aws_route53_health_check": lambda _, __, prices: prices["health_check"],
    "aws_secretsmanager_secret": lambda _, __, prices: prices["secret"],
    "aws_vpc_endpoint": _endpoint,
    "aws_wafv2_web_acl": lambda acl, _, prices: prices["firewall"] + len(acl["rule"]) * prices["firewall_rule"],
}


def standing(planned: Mapping[str, Planned], said: dict[str, Any], prices: Prices) -> dict[str, float]:
    """USD a month by module; `planned` is by address, as `module.NAME.TYPE.NAME`."""
    found: dict[str, float] = {}
    for address, after in planned.items():
        module, kind = address.split(".")[1:3]
        cost = STANDING[kind](after, said, prices) if kind in STANDING else 0.0
        found[module] = found.get(module, 0.0) + cost
    return found


def used(said: dict[str, Any], prices: Prices) -> dict[str, float]:
    """What files, requests and logs add, by the module that they use."""
    costs, a_day = month(said, prices), said["files_a_day"]
    writes = a_day * DAYS * PARTS
    kept = said["database"]["gb"] * (prices["database_gb"] + 2 * prices["backup_gb"])
    copied = a_day * said["gb_out"] * RESULTS_KEPT * prices[CLASSES[-1][1]] if said["copies_results"] else 0.0
    return {
        "batch_engine": costs["steps"],
        "database": kept + said["database"]["million_ios"] * prices["database_io"],
        "edge": said["edge_gb"] * prices["edge_gb"]
        + said["requests_million"] * (prices["edge_million"] + prices["firewall_million"]),
        "events": costs["events"],
        "network": said["logs_gb"] * prices["nat_gb"],
        "observability": said["logs_gb"] * prices["logs_gb"],
        "results": a_day * said["gb_out"] * gb_days(RESULTS_KEPT, prices),
        "results_copy": copied,
        "security_baseline": said["config_items"] * prices["config_item"]
        + writes / 100_000 * prices["trail_hundred_thousand"],
        "uploads": a_day * said["gb_in"] * gb_days(UPLOADS_KEPT, prices)
        + writes * prices["s3_put"] / 1000
        + scanned(said, prices),
        "workflow_engine": costs["state machine"],
    }


def by_module(planned: Mapping[str, Planned], said: dict[str, Any], prices: Prices) -> dict[str, tuple[float, float]]:
    """As it stands, and with the scenario's files."""
    stands, more = standing(planned, said, prices), used(said, prices)
    if strangers := {name for name, cost in more.items() if cost} - stands.keys():
        raise ValueError(f"The scenario uses what the plan has not: {', '.join(sorted(strangers))}")
    return {name: (cost, cost + more.get(name, 0.0)) for name, cost in stands.items()}
