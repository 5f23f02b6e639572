# Where steps run: two fleets of machines, spot and on demand, each behind a queue of its own. The platform sends a step
# first to the spot queue if the step says so; what is left undone goes on in the other (docs/design/0005). It registers
# job definitions itself, one for each step of a version, so none is made here.
#
# **Steps hold no credentials.** Batch's containers share the machine's network, so a hop limit alone would not keep them
# from its metadata: the machine refuses those addresses to everybody but root, and no step runs as root.
#
# **Stuck jobs do not wait for ever.** On spot, a job without a machine for 15 minutes is given up, and goes on on demand.
# There, after a day.
#
# **Without machines** (`platform = "FARGATE"`): nothing to keep, containers start within half a minute, each step has
# the next size that there is and at most 16 processors; no GPUs, and dearer by the hour. For small environments. The
# platform must be told (ESTEIRA_BATCH_PLATFORM): it registers other definitions then. Changing it replaces the fleets.
#
# **Changes.** A fleet that must be replaced gets a new name first, moves behind the queue, and only then goes.

data "aws_caller_identity" "current" {}

data "aws_region" "current" {}

locals {
  account = data.aws_caller_identity.current.account_id
  region  = data.aws_region.current.region

  on_machines = var.platform == "EC2"
  of_machines = {
    on-demand = { type = "EC2", strategy = "BEST_FIT_PROGRESSIVE", patience = 86400, families = var.families, image = "ECS_AL2023" }
    spot      = { type = "SPOT", strategy = "SPOT_PRICE_CAPACITY_OPTIMIZED", patience = 900, families = var.families, image = "ECS_AL2023" }
  }
  gpu = length(var.gpu_families) == 0 ? {} : {
    gpu = { type = "EC2", strategy = "BEST_FIT_PROGRESSIVE", patience = 86400, families = var.gpu_families, image = "ECS_AL2023_NVIDIA" }
  }
  of_fargate = {
    on-demand = { type = "FARGATE", strategy = null, patience = 86400, families = null, image = null }
    spot      = { type = "FARGATE_SPOT", strategy = null, patience = 900, families = null, image = null }
  }
  all = { for fleet, how in merge(local.of_machines, local.gpu, local.on_machines ? {} : local.of_fargate) : fleet => how }
}

resource "aws_batch_compute_environment" "this" {
  for_each = local.all

  name_prefix = "${var.name}-${each.key}-"
  type        = "MANAGED"
  state       = "ENABLED"
  # No service_role: only with the service-linked one can a fleet be changed in place.

  compute_resources {
    type                = each.value.type
    allocation_strategy = each.value.strategy
    min_vcpus           = local.on_machines ? 0 : null
    max_vcpus           = var.max_vcpus[each.key]
    instance_type       = each.value.families
    instance_role       = local.on_machines ? aws_iam_instance_profile.machine.arn : null
    subnets             = var.subnet_ids
    security_group_ids  = [var.security_group_id]
    tags                = local.on_machines ? { Name = "${var.name}-${each.key}", environment = var.name } : null

    dynamic "ec2_configuration" {
      for_each = each.value.image[*]

      content {
        image_type = ec2_configuration.value
      }
    }

    dynamic "launch_template" {
      for_each = local.on_machines ? [aws_launch_template.machine] : []

      content {
        launch_template_id = launch_template.value.id
        version            = tostring(launch_template.value.latest_version)
      }
    }
  }

  dynamic "update_policy" {
    for_each = local.on_machines ? ["machines"] : []

    content {
      # What runs on an old machine runs to its end.
      terminate_jobs_on_update      = false
      job_execution_timeout_minutes = 360
    }
  }

  lifecycle {
    create_before_destroy = true
    # A fleet grows and shrinks by itself.
    ignore_changes = [compute_resources[0].desired_vcpus]
  }

  # Without its policy a machine joins nothing, and the fleet becomes INVALID.
  depends_on = [aws_iam_role_policy_attachment.machine]
}

resource "aws_batch_job_queue" "this" {
  for_each = local.all

  name                  = "${var.name}-${each.key}"
  state                 = "ENABLED"
  priority              = 10
  scheduling_policy_arn = var.fair_share ? aws_batch_scheduling_policy.fair.arn : null

  compute_environment_order {
    order               = 1
    compute_environment = aws_batch_compute_environment.this[each.key].arn
  }

  job_state_time_limit_action {
    state            = "RUNNABLE"
    reason           = "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY"
    max_time_seconds = each.value.patience
    action           = "CANCEL"
  }

  job_state_time_limit_action {
    state            = "RUNNABLE"
    reason           = "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE"
    max_time_seconds = 3600
    action           = "CANCEL"
  }

  job_state_time_limit_action {
    state            = "RUNNABLE"
    reason           = "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT"
    max_time_seconds = 3600
    action           = "CANCEL"
  }
}

# Each workspace a share: one that sends ten thousand jobs does not keep the others waiting behind them.
resource "aws_batch_scheduling_policy" "fair" {
  name = "${var.name}-fair"

  fair_share_policy {
    # What is held free for a workspace that comes while others use everything, in percent.
    compute_reservation = 10
    share_decay_seconds = 3600

    share_distribution {
      share_identifier = "*"
      weight_factor    = 1
    }
  }
}

resource "aws_launch_template" "machine" {
  name_prefix            = "${var.name}-batch-"
  update_default_version = true

  metadata_options {
    http_tokens                 = "required"
    http_endpoint               = "enabled"
    http_put_response_hop_limit = 1
    http_protocol_ipv6          = "disabled"
    instance_metadata_tags      = "disabled"
  }

  block_device_mappings {
    device_name = "/dev/xvda"

    ebs {
      volume_type           = "gp3"
      volume_size           = var.disk_gib
      encrypted             = true
      delete_on_termination = true
    }
  }

  monitoring {
    enabled = true
  }

  # Batch takes user data as MIME parts only.
  user_data = base64encode(<<-EOT
    MIME-Version: 1.0
    Content-Type: multipart/mixed; boundary="=="

    --==
    Content-Type: text/x-shellscript; charset="us-ascii"

    #!/bin/bash
    set -euo pipefail
    for address in 169.254.169.254 169.254.170.2; do
      iptables -I OUTPUT -d "$address" -m owner ! --uid-owner 0 -j REJECT
      iptables -I FORWARD -d "$address" -j REJECT
    done
    --==--
  EOT
  )

  dynamic "tag_specifications" {
    for_each = toset(["instance", "volume"])

    content {
      resource_type = tag_specifications.value
      tags          = { Name = "${var.name}-batch", environment = var.name }
    }
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_cloudwatch_log_group" "runners" {
  name              = "/${var.name}/runners"
  retention_in_days = 365
  kms_key_id        = var.logs_key_arn
}
