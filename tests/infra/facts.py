"""What the plans of both environments must say: the owner's facts, one a line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from deploy.cost.model import Prices, scenario
from deploy.cost.plan import by_module

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_PLAN: Final = """\
# A first plan

Of each environment, as `make infra-check` makes it without credentials and holds this page to it. Nothing is changed or destroyed.
USD are a month's, by the prices of [deploy/cost](../cost/README.md): what stands there costs that much without a single file, and so much with the files of the environment's scenario.
"""
BOTH: Final = ("staging", "prod")
STAGING: Final = ("staging",)
PROD: Final = ("prod",)


class Fact(NamedTuple):
    says: str
    address: str
    path: tuple[str | int, ...]
    value: object
    where: tuple[str, ...] = BOTH


def _life(days: int, bucket: str) -> Fact:
    return Fact(
        f"{bucket} are kept for {days} days",
        f"module.{bucket}.aws_s3_bucket_lifecycle_configuration.this",
        ("rule", 0, "expiration", 0, "days"),
        days,
    )


FACTS: Final = (
    _life(365, "uploads"),
    _life(1826, "results"),
    Fact("uploads are scanned", 'module.uploads.aws_guardduty_malware_protection_plan.this["on"]', ("actions", 0, "tagging", 0, "status"), "ENABLED", PROD),
    Fact("results have a copy in another region", 'module.results.aws_s3_bucket_replication_configuration.this["to"]', ("rule", 0, "status"), "Enabled", PROD),
    Fact("each zone has its own way out", 'module.network.aws_nat_gateway.this["c"]', ("tags", "Name"), "esteira-prod-c", PROD),
    Fact("a reader stands by", 'module.database.aws_rds_cluster_instance.this["two"]', ("promotion_tier",), 1, PROD),
    Fact("the database sleeps", "module.database.aws_rds_cluster.this", ("serverlessv2_scaling_configuration", 0, "min_capacity"), 0, STAGING),
    Fact("the database goes back 35 days", "module.database.aws_rds_cluster.this", ("backup_retention_period",), 35),
    Fact("the database cannot be deleted", "module.database.aws_rds_cluster.this", ("deletion_protection",), True),
    Fact("machines on demand grow", 'module.cluster.aws_eks_node_group.this["on-demand"]', ("capacity_type",), "ON_DEMAND"),
    Fact("machines on spot grow", 'module.cluster.aws_eks_node_group.this["spot"]', ("capacity_type",), "SPOT"),
    Fact("steps run on spot", 'module.batch_engine.aws_batch_compute_environment.this["spot"]', ("compute_resources", 0, "type"), "SPOT"),
    Fact("steps run on demand", 'module.batch_engine.aws_batch_compute_environment.this["on-demand"]', ("compute_resources", 0, "type"), "EC2"),
    Fact("the balancer is private", "module.edge.aws_lb.this", ("internal",), True),
    Fact("the trail is on", "module.security_baseline.aws_cloudtrail.this", ("is_multi_region_trail",), True),
    Fact("Config records at once", "module.security_baseline.aws_config_configuration_recorder.this", ("recording_mode", 0, "recording_frequency"), "CONTINUOUS", PROD),
    Fact("Config records daily", "module.security_baseline.aws_config_configuration_recorder.this", ("recording_mode", 0, "recording_frequency"), "DAILY", STAGING),
    Fact("backups are locked", 'module.backup.aws_backup_vault_lock_configuration.here["on"]', ("min_retention_days",), 30, PROD),
    Fact("staging sleeps at night", 'module.off_hours.aws_scheduler_schedule.this["sleep-on-demand"]', ("schedule_expression",), "cron(0 20 ? * MON-FRI *)", STAGING),
    Fact("somebody hears of latency", 'module.observability.aws_cloudwatch_metric_alarm.this["alb-latency-p95"]', ("threshold",), 0.5),
    Fact("somebody hears of connections", 'module.observability.aws_cloudwatch_metric_alarm.this["database-connections"]', ("metric_name",), "DatabaseConnections"),
)  # fmt: skip


def faults(environment: str, plan: Mapping[str, Any]) -> Iterator[str]:
    planned = resources(plan)
    for fact in FACTS:
        if environment in fact.where:
            found = _at(planned.get(fact.address), fact.path)
            if found != fact.value:
                yield f"{environment}: {fact.says}? {fact.address} has {found!r}, not {fact.value!r}"


def resources(plan: Mapping[str, Any]) -> dict[str, Any]:
    """By address, what each will be; what only AWS knows is missing."""
    return {one["address"]: one["change"]["after"] for one in plan["resource_changes"] if one["mode"] == "managed"}


def summary(plan: Mapping[str, Any]) -> dict[str, int]:
    """How many of what each module makes."""
    made: dict[str, int] = {}
    for address in resources(plan):
        module = address.split(".")[1] if address.startswith("module.") else "(root)"
        made[module] = made.get(module, 0) + 1
    return dict(sorted(made.items()))


def table(plans: Mapping[str, Mapping[str, Any]]) -> str:
    """For each environment: how many resources, what they cost as they stand, and with its files."""
    prices = Prices.read()
    made = {name: summary(plan) for name, plan in plans.items()}
    costs = {name: by_module(resources(plan), scenario(name), prices) for name, plan in plans.items()}
    told = {
        name: {module: (count, *costs[name][module]) for module, count in counts.items()}
        for name, counts in made.items()
    }
    modules = sorted(set().union(*made.values()))
    rows = [_row(f"`{module}`", [told[name].get(module, (0, 0.0, 0.0)) for name in told]) for module in modules]
    sums = [tuple(map(sum, zip(*of.values(), strict=True))) for of in told.values()]
    heads = [f"{name}: to add | USD as it stands | with its files" for name in told]
    head = f"| module | {' | '.join(heads)} |\n| --- |{' ---: |' * 3 * len(told)}"
    return "\n".join([_PLAN, head, *rows, _row("**together**", sums), ""])


def _row(title: str, cells: Sequence[tuple[float, ...]]) -> str:
    return f"| {title} | {' | '.join(f'{number:,.0f}' for cell in cells for number in cell)} |"


def settings(plan: Mapping[str, Any]) -> dict[str, str]:
    """The platform's environment; a value that only AWS knows gets one of its form."""
    key = "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000000"
    return {
        address.split('"')[1]: after.get("value") or key
        for address, after in resources(plan).items()
        if ".aws_ssm_parameter." in address
    }


def _at(value: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        held = value if isinstance(value, dict) else dict(enumerate(value or ()))
        value = held.get(step)
    return value
