# Backups of the database beside those that Aurora keeps itself: in a vault of their own, which in production nobody can
# empty before its time, and a copy in another region. Restoring is docs/deploy.md's "When it burns".
#
# **The lock.** After `changeable_days` the vault's lock is for good: not even AWS lifts it. Until then it can be taken
# back.

data "aws_caller_identity" "current" {}

locals {
  account = data.aws_caller_identity.current.account_id
}

resource "aws_kms_key" "here" {
  # checkov:skip=CKV2_AWS_64:Without a policy of its own a key has AWS's default, which leaves it to IAM: what we want.
  description             = "${var.name} backups"
  enable_key_rotation     = true
  deletion_window_in_days = 30
}

resource "aws_kms_key" "far" {
  # checkov:skip=CKV2_AWS_64:Without a policy of its own a key has AWS's default, which leaves it to IAM: what we want.
  provider = aws.far

  description             = "${var.name} backups"
  enable_key_rotation     = true
  deletion_window_in_days = 30
}

resource "aws_backup_vault" "here" {
  name        = var.name
  kms_key_arn = aws_kms_key.here.arn

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_backup_vault" "far" {
  provider = aws.far

  name        = "${var.name}-copy"
  kms_key_arn = aws_kms_key.far.arn

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_backup_vault_lock_configuration" "here" {
  for_each = var.lock ? { on = true } : {}

  backup_vault_name   = aws_backup_vault.here.name
  min_retention_days  = 30
  max_retention_days  = 400
  changeable_for_days = var.changeable_days
}

resource "aws_backup_vault_lock_configuration" "far" {
  for_each = var.lock ? { on = true } : {}
  provider = aws.far

  backup_vault_name   = aws_backup_vault.far.name
  min_retention_days  = 30
  max_retention_days  = 400
  changeable_for_days = var.changeable_days
}

resource "aws_backup_plan" "this" {
  name = var.name

  # To any second of the last 35 days.
  rule {
    rule_name                = "continuous"
    target_vault_name        = aws_backup_vault.here.name
    schedule                 = "cron(0 7 * * ? *)"
    enable_continuous_backup = true

    lifecycle {
      delete_after = 35
    }
  }

  # Continuous backups cannot be copied; these can.
  rule {
    rule_name         = "daily"
    target_vault_name = aws_backup_vault.here.name
    schedule          = "cron(30 7 * * ? *)"

    lifecycle {
      delete_after = 35
    }

    copy_action {
      destination_vault_arn = aws_backup_vault.far.arn

      lifecycle {
        delete_after = 35
      }
    }
  }

  rule {
    rule_name         = "monthly"
    target_vault_name = aws_backup_vault.here.name
    schedule          = "cron(0 8 1 * ? *)"

    lifecycle {
      delete_after = 365
    }

    copy_action {
      destination_vault_arn = aws_backup_vault.far.arn

      lifecycle {
        delete_after = 365
      }
    }
  }
}

resource "aws_backup_selection" "this" {
  name         = var.name
  plan_id      = aws_backup_plan.this.id
  iam_role_arn = aws_iam_role.this.arn
  resources    = values(var.resource_arns)
}

resource "aws_iam_role" "this" {
  name               = "${var.name}-backup"
  assume_role_policy = data.aws_iam_policy_document.trust.json
}

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["backup.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }
}

resource "aws_iam_role_policy_attachment" "this" {
  for_each = toset(["AWSBackupServiceRolePolicyForBackup", "AWSBackupServiceRolePolicyForRestores"])

  role       = aws_iam_role.this.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/${each.key}"
}

resource "aws_backup_vault_notifications" "this" {
  backup_vault_name   = aws_backup_vault.here.name
  sns_topic_arn       = var.topic_arn
  backup_vault_events = ["BACKUP_JOB_EXPIRED", "BACKUP_JOB_FAILED", "COPY_JOB_FAILED", "RESTORE_JOB_COMPLETED"]
}
