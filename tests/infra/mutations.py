"""Arguments on which security rests. Each is taken away in a copy, and a test of Terraform's must see it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tests.infra.terraform import Terraform, copied

if TYPE_CHECKING:
    from pathlib import Path

# Where Terraform says that a condition of a test is false, or cannot be told because what it asks about is gone.
SEEN: Final = ', in run "'
AT_ONCE: Final = 2


@dataclass(frozen=True, slots=True)
class Mutation:
    """`instead` empty: the line is deleted."""

    module: str
    file: str
    line: str
    instead: str = ""

    @property
    def path(self) -> str:
        return f"deploy/terraform/modules/{self.module}/{self.file}"

    def apply(self, text: str) -> str:
        if text.count(self.line) != 1:
            raise AssertionError(f"{self.path} must hold once, and holds {text.count(self.line)} times: {self.line}")
        return text.replace(self.line, self.instead)


MUTATIONS: Final = (
    Mutation("keys", "main.tf", "  enable_key_rotation     = true\n"),
    Mutation("file_store", "main.tf", "  block_public_policy     = true\n"),
    Mutation("file_store", "main.tf", 'status = "Enabled"\n  }\n}', 'status = "Suspended"\n  }\n}'),
    Mutation("file_store", "main.tf", 'sse_algorithm     = "aws:kms"', 'sse_algorithm     = "AES256"'),
    Mutation("file_store", "main.tf", "aws:SecureTransport", "aws:ViaAWSService"),
    Mutation("file_store", "main.tf", '    blocked_encryption_types = ["SSE-C"]\n'),
    Mutation("log_bucket", "main.tf", "  restrict_public_buckets = true\n"),
    Mutation("network", "security_groups.tf", '"database from pods"  = { on = "database", from = "pods"', '"database from pods"  = { on = "database", from = "alb"'),
    Mutation("network", "endpoints.tf", 'variable = "aws:PrincipalAccount"\n      values   = [local.account]\n    }\n  }\n\n  statement', 'variable = "aws:PrincipalTag/x"\n      values   = [local.account]\n    }\n  }\n\n  statement'),
    Mutation("database", "main.tf", "  storage_encrypted                   = true\n"),
    Mutation("database", "main.tf", 'name  = "rds.force_ssl"\n    value = "1"', 'name  = "rds.force_ssl"\n    value = "0"'),
    Mutation("database", "main.tf", "  iam_database_authentication_enabled = true\n"),
    Mutation("database", "main.tf", "  deletion_protection          = true\n"),
    Mutation("events", "main.tf", 'variable = "aws:SourceArn"', 'variable = "aws:PrincipalTag/x"'),
    Mutation("workflow_engine", "main.tf", "include_execution_data = false", "include_execution_data = true"),
    Mutation("batch_engine", "main.tf", '      iptables -I OUTPUT -d "$address" -m owner ! --uid-owner 0 -j REJECT\n'),
    Mutation("batch_engine", "main.tf", '    http_tokens                 = "required"\n'),
    Mutation("cluster", "main.tf", "bootstrap_cluster_creator_admin_permissions = false", "bootstrap_cluster_creator_admin_permissions = true"),
    Mutation("cluster", "main.tf", "endpoint_public_access  = length(var.public_access_cidrs) > 0", "endpoint_public_access  = true"),
    Mutation("cluster", "nodes.tf", "http_put_response_hop_limit = 1", "http_put_response_hop_limit = 2"),
    Mutation("edge", "main.tf", "internal                   = true", "internal                   = false"),
    Mutation("edge", "main.tf", "  web_acl_id      = aws_wafv2_web_acl.this.arn\n"),
    Mutation("edge", "main.tf", 'minimum_protocol_version = "TLSv1.2_2021"', 'minimum_protocol_version = "TLSv1"'),
    Mutation("edge", "logs.tf", 'name = "cookie"', 'name = "accept"'),
    Mutation("workload_roles", "main.tf", 'variable = "${var.oidc_issuer}:sub"', 'variable = "${var.oidc_issuer}:amr"'),
    Mutation("workload_roles", "controllers.tf", "resources = [var.database_owner_secret_arn]", 'resources = ["arn:aws:secretsmanager:us-east-1:123456789012:secret:rds!*"]'),
    Mutation("ci", "main.tf", 'variable = "${local.issuer}:sub"', 'variable = "${local.issuer}:actor"'),
    Mutation("ci", "main.tf", "environment:${var.environment}-release", "environment:${var.environment}"),
    Mutation("ci", "main.tf", '  permissions_boundary = each.key == "apply" ? aws_iam_policy.boundary.arn : null\n'),
    Mutation("security_baseline", "main.tf", "  enable_log_file_validation    = true\n"),
    Mutation("security_baseline", "audit_bucket.tf", 'mode = "COMPLIANCE"', 'mode = "GOVERNANCE"'),
    Mutation("backup", "main.tf", "  backup_vault_name   = aws_backup_vault.here.name\n  min_retention_days  = 30\n", "  backup_vault_name   = aws_backup_vault.here.name\n"),
    Mutation("observability", "drill.tf", "StateReason = local.drill_says })\n  }\n}\n\n# A schedule", 'StateReason = "" })\n  }\n}\n\n# A schedule'),
    Mutation("registry", "main.tf", 'image_tag_mutability = "IMMUTABLE"', 'image_tag_mutability = "MUTABLE"'),
    Mutation("app_settings", "main.tf", 'effect    = "Deny"', 'effect    = "Allow"'),
    Mutation("edge", "signing.tf", 'variable = "aws:SourceAccount"', 'variable = "aws:PrincipalTag/x"'),
    Mutation("observability", "alarms.tf", 'silence = "breaching", '),
    Mutation("batch_engine", "variables.tf", 'length(var.gpu_families) == 0 || var.platform == "EC2"', "length(var.gpu_families) >= 0"),
    Mutation("shared_folder", "main.tf", "  encrypted        = true\n"),
    Mutation("network", "main.tf", '      from_port  = 1024\n      to_port    = 65535\n      cidr_block = "0.0.0.0/0"', '      from_port  = 0\n      to_port    = 65535\n      cidr_block = "0.0.0.0/0"'),
    Mutation("network", "main.tf", '  traffic_type             = "ALL"\n', '  traffic_type             = "REJECT"\n'),
)  # fmt: skip


def survivors(terraform: Terraform) -> list[str]:
    """Those after which everything is still green, or red for another reason than an assertion."""
    with copied() as one, copied() as other, ThreadPoolExecutor(AT_ONCE) as threads:
        halves = [(one, MUTATIONS[::2]), (other, MUTATIONS[1::2])]
        found = threads.map(lambda half: [said for each in half[1] if (said := _try(terraform, half[0], each))], halves)
        return [said for part in found for said in part]


def _try(terraform: Terraform, tree: Path, mutation: Mutation) -> str:
    file = tree / mutation.path
    whole = file.read_text(encoding="utf-8")
    file.write_text(mutation.apply(whole), encoding="utf-8")
    try:
        done = terraform.run(tree, f"deploy/terraform/modules/{mutation.module}", "test", "-no-color")
    finally:
        file.write_text(whole, encoding="utf-8")
    is_seen = done.returncode and SEEN in done.stdout + done.stderr
    print(
        f"  {mutation.module}: {mutation.line.strip().splitlines()[0]}: {'seen' if is_seen else 'NOT SEEN'}", flush=True
    )
    if is_seen:
        return ""
    why = "no test saw it" if not done.returncode else f"it failed otherwise: {(done.stdout + done.stderr)[-600:]}"
    return f"{mutation.path}: without {mutation.line.strip()!r} {why}"
