# Staging sleeps at night and at weekends: its machines go at 20:00 and come back at 08:00, Monday to Friday. The database
# sleeps by itself, an hour after its last connection.
#
# **This is one half.** EKS takes no maximum below 1, so with pods that wait the autoscaler would bring machines back at
# once: in the cluster deployments have to go to 0 at the same hours (deploy/k8s, KEDA's `cron` trigger). The group on
# demand keeps `night_size` machines, so that Argo CD can still be reached.

data "aws_caller_identity" "current" {}

data "aws_region" "current" {}

locals {
  account = data.aws_caller_identity.current.account_id
  region  = data.aws_region.current.region

  moves = merge([
    for key, group in var.node_groups : {
      "sleep-${key}" = { group = group.name, min = group.night_size, at = "cron(0 20 ? * MON-FRI *)" }
      "wake-${key}"  = { group = group.name, min = group.day_size, at = "cron(0 8 ? * MON-FRI *)" }
    }
  ]...)
}

resource "aws_scheduler_schedule_group" "this" {
  name = var.name
}

resource "aws_scheduler_schedule" "this" {
  for_each = local.moves

  name                         = each.key
  group_name                   = aws_scheduler_schedule_group.this.name
  schedule_expression          = each.value.at
  schedule_expression_timezone = var.timezone
  kms_key_arn                  = var.kms_key_arn

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = "arn:aws:scheduler:::aws-sdk:eks:updateNodegroupConfig"
    role_arn = aws_iam_role.this.arn

    input = jsonencode({
      ClusterName   = var.cluster_name
      NodegroupName = each.value.group
      ScalingConfig = { MinSize = each.value.min, DesiredSize = each.value.min }
    })

    retry_policy {
      maximum_event_age_in_seconds = 3600
      maximum_retry_attempts       = 10
    }

    dead_letter_config {
      arn = aws_sqs_queue.dead.arn
    }
  }
}

resource "aws_sqs_queue" "dead" {
  name                      = "${var.name}-off-hours-dead"
  kms_master_key_id         = var.kms_key_arn
  message_retention_seconds = 14 * 24 * 3600
}

resource "aws_iam_role" "this" {
  name               = "${var.name}-off-hours"
  assume_role_policy = data.aws_iam_policy_document.trust.json
}

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["scheduler.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }
}

resource "aws_iam_role_policy" "this" {
  name   = "sizes"
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.this.json
}

data "aws_iam_policy_document" "this" {
  statement {
    sid       = "SizesOfOurGroups"
    actions   = ["eks:UpdateNodegroupConfig"]
    resources = ["arn:aws:eks:${local.region}:${local.account}:nodegroup/${var.cluster_name}/*/*"]
  }

  statement {
    sid       = "PutAsideWhatFailed"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.dead.arn]
  }

  statement {
    sid       = "Key"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [var.kms_key_arn]
  }
}
