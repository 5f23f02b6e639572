# GuardDuty Malware Protection for S3: reads each new version and tags it. Priced by object and by GB.

resource "aws_guardduty_malware_protection_plan" "this" {
  for_each = var.scan ? { on = true } : {}

  role = aws_iam_role.scan["on"].arn

  protected_resource {
    s3_bucket {
      bucket_name = aws_s3_bucket.this.id
    }
  }

  actions {
    # The platform reads the answer from the tag; without it every file would wait for good.
    tagging {
      status = "ENABLED"
    }
  }

  # GuardDuty tries the role as soon as the plan is made.
  depends_on = [aws_iam_role_policy.scan]
}

resource "aws_iam_role" "scan" {
  for_each = var.scan ? { on = true } : {}

  name               = "${var.bucket}-scan"
  assume_role_policy = data.aws_iam_policy_document.scan_trust.json
}

data "aws_iam_policy_document" "scan_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["malware-protection-plan.guardduty.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }
}

resource "aws_iam_role_policy" "scan" {
  for_each = var.scan ? { on = true } : {}

  name   = "scan"
  role   = aws_iam_role.scan["on"].id
  policy = data.aws_iam_policy_document.scan.json
}

data "aws_iam_policy_document" "scan" {
  statement {
    sid     = "ManagedRule"
    actions = ["events:DeleteRule", "events:DescribeRule", "events:ListTargetsByRule", "events:PutRule", "events:PutTargets", "events:RemoveTargets"]
    resources = [
      "arn:aws:events:${local.region}:${local.account}:rule/DO-NOT-DELETE-AmazonGuardDutyMalwareProtectionS3*",
    ]
  }

  statement {
    sid       = "BucketSetUp"
    actions   = ["s3:GetBucketNotification", "s3:ListBucket", "s3:PutBucketNotification"]
    resources = [local.arn]
  }

  statement {
    sid       = "ReadAndTag"
    actions   = ["s3:GetObject", "s3:GetObjectTagging", "s3:GetObjectVersion", "s3:GetObjectVersionTagging", "s3:PutObjectTagging", "s3:PutObjectVersionTagging"]
    resources = ["${local.arn}/*"]
  }

  statement {
    sid       = "ProveOwnership"
    actions   = ["s3:PutObject"]
    resources = ["${local.arn}/malware-protection-resource-validation-object"]
  }

  statement {
    sid       = "Key"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [var.kms_key_arn]
  }
}
