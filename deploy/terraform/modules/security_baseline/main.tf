# What an auditor asks of the account: who did what (CloudTrail), what was set how at which time (Config), what looks
# like an attack (GuardDuty), what departs from good practice (Security Hub), what is open to others (Access Analyzer).
#
# **One of each in an account and region.** Where two environments share an account, only one of them has this module.
#
# **The trail cannot be shortened.** Its bucket keeps every object for a year under a lock that not even the account's
# root lifts, so a mistake in here costs a year's storage: try it in staging first.

data "aws_caller_identity" "current" {}

data "aws_region" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  region    = data.aws_region.current.region
  bucket    = "${var.name}-audit-${local.account}"
  arn       = "arn:aws:s3:::${local.bucket}"
  trail_arn = "arn:aws:cloudtrail:${local.region}:${local.account}:trail/${var.name}"
}

resource "aws_cloudtrail" "this" {
  # checkov:skip=CKV_AWS_252:Nobody waits for a file of the trail; what matters is told by the module observability.
  name                          = var.name
  s3_bucket_name                = aws_s3_bucket.audit.id
  kms_key_id                    = var.logs_key_arn
  is_multi_region_trail         = true
  include_global_service_events = true
  enable_log_file_validation    = true
  enable_logging                = true
  cloud_watch_logs_group_arn    = "${aws_cloudwatch_log_group.trail.arn}:*"
  cloud_watch_logs_role_arn     = aws_iam_role.trail.arn

  advanced_event_selector {
    name = "management"

    field_selector {
      field  = "eventCategory"
      equals = ["Management"]
    }
  }

  # Writes to files and to the state, not each read: those are in the buckets' access logs, and free.
  advanced_event_selector {
    name = "writes-to-files"

    field_selector {
      field  = "eventCategory"
      equals = ["Data"]
    }

    field_selector {
      field  = "resources.type"
      equals = ["AWS::S3::Object"]
    }

    field_selector {
      field  = "readOnly"
      equals = ["false"]
    }

    field_selector {
      field       = "resources.ARN"
      starts_with = [for bucket in var.watched_buckets : "arn:aws:s3:::${bucket}/"]
    }
  }

  # CloudTrail looks whether it may write as it is made.
  depends_on = [aws_s3_bucket_policy.audit]
}

resource "aws_cloudwatch_log_group" "trail" {
  name              = "/${var.name}/cloudtrail"
  retention_in_days = 365
  kms_key_id        = var.logs_key_arn
}

resource "aws_iam_role" "trail" {
  name               = "${var.name}-cloudtrail"
  assume_role_policy = data.aws_iam_policy_document.trail_trust.json
}

data "aws_iam_policy_document" "trail_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["cloudtrail.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceArn"
      values   = [local.trail_arn]
    }
  }
}

resource "aws_iam_role_policy" "trail" {
  name   = "log"
  role   = aws_iam_role.trail.id
  policy = data.aws_iam_policy_document.trail.json
}

data "aws_iam_policy_document" "trail" {
  statement {
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["arn:aws:logs:${local.region}:${local.account}:log-group:/${var.name}/cloudtrail:*"]
  }
}
