# The customer-managed keys of one environment: one for each kind of data, so that a role that reads queues
# cannot read files. Each rotates every year and takes 30 days to go, in which a deletion can be taken back.

data "aws_caller_identity" "current" {}

data "aws_region" "current" {}

locals {
  account = data.aws_caller_identity.current.account_id
  region  = data.aws_region.current.region

  services = { for use, who in local.known : use => who if contains(var.only, use) }

  # Services that use a key in their own name. Everybody else needs the grant of an IAM policy.
  known = {
    storage  = []
    database = []
    secrets  = []
    cluster  = []
    # Without these the queue and the topics drop what EventBridge and CloudWatch send, silently.
    events = ["events.amazonaws.com"]
    logs = [
      "backup.amazonaws.com", "cloudtrail.amazonaws.com", "cloudwatch.amazonaws.com", "config.amazonaws.com", "events.amazonaws.com", "events.rds.amazonaws.com",
      "budgets.amazonaws.com", "costalerts.amazonaws.com", "delivery.logs.amazonaws.com",
    ]
  }
}

resource "aws_kms_key" "this" {
  # checkov:skip=CKV2_AWS_64:The policy is the resource aws_kms_key_policy below, which the check cannot join to it.
  for_each = local.services

  description             = "${var.name} ${each.key}"
  enable_key_rotation     = true
  rotation_period_in_days = 365
  deletion_window_in_days = 30
  tags                    = { Name = "${var.name}-${each.key}" }

  lifecycle {
    # Without the key nothing that it encrypted can be read again.
    prevent_destroy = true
  }
}

resource "aws_kms_alias" "this" {
  for_each = aws_kms_key.this

  name          = "alias/${var.name}-${each.key}"
  target_key_id = each.value.key_id
}

resource "aws_kms_key_policy" "this" {
  for_each = aws_kms_key.this

  key_id = each.value.key_id
  policy = data.aws_iam_policy_document.key[each.key].json
}

data "aws_iam_policy_document" "key" {
  # checkov:skip=CKV_AWS_109:A key policy that does not leave administration to the account locks it out for good.
  # checkov:skip=CKV_AWS_111:The same: writing is limited by the IAM policies to which this delegates.
  # checkov:skip=CKV_AWS_356:In a key policy "*" is this key and no other.
  for_each = local.services

  statement {
    sid       = "AccountDelegatesToIam"
    actions   = ["kms:*"]
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = ["arn:aws:iam::${local.account}:root"]
    }
  }

  dynamic "statement" {
    for_each = length(each.value) > 0 ? [each.value] : []

    content {
      sid       = "ServicesOfThisAccount"
      actions   = ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"]
      resources = ["*"]

      principals {
        type        = "Service"
        identifiers = statement.value
      }

      condition {
        test     = "StringEquals"
        variable = "aws:SourceAccount"
        values   = [local.account]
      }
    }
  }

  dynamic "statement" {
    for_each = each.key == "logs" ? [each.key] : []

    content {
      sid       = "LogGroupsOfThisAccount"
      actions   = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey", "kms:ReEncryptFrom", "kms:ReEncryptTo"]
      resources = ["*"]

      principals {
        type        = "Service"
        identifiers = ["logs.${local.region}.amazonaws.com"]
      }

      condition {
        test     = "ArnLike"
        variable = "kms:EncryptionContext:aws:logs:arn"
        values   = ["arn:aws:logs:${local.region}:${local.account}:log-group:*"]
      }
    }
  }
}
