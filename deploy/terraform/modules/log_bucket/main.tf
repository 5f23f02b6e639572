# Where services of AWS write their logs: access logs of buckets and of the load balancer, flow logs of the VPC.
# Kept for a year, readable by nobody but the account. Encrypted with S3's own key: the load balancer writes to no
# bucket with a key of the customer's.

data "aws_caller_identity" "current" {}

locals {
  account = data.aws_caller_identity.current.account_id
  bucket  = "${var.name}-logs-${local.account}"
  arn     = "arn:aws:s3:::${local.bucket}"
}

# trivy:ignore:AVD-AWS-0089 A log bucket that logs into itself grows by its own log for ever.
# trivy:ignore:AVD-AWS-0132 Load balancers write access logs only where S3's own key encrypts.
resource "aws_s3_bucket" "this" {
  # checkov:skip=CKV_AWS_18:A log bucket that logs into itself grows by its own log for ever.
  # checkov:skip=CKV_AWS_144:Logs are no source of truth; the audit trail has a bucket of its own.
  # checkov:skip=CKV_AWS_145:Load balancers write access logs only where S3's own key encrypts.
  # checkov:skip=CKV2_AWS_62:Nobody waits for a log file.
  bucket = local.bucket
}

resource "aws_s3_bucket_ownership_controls" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "this" {
  bucket                  = aws_s3_bucket.this.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_versioning" "this" {
  bucket = aws_s3_bucket.this.id

  versioning_configuration {
    status = "Enabled"
  }
}

# trivy:ignore:AVD-AWS-0132 Load balancers write access logs only where S3's own key encrypts.
resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    id     = "expire"
    status = "Enabled"
    filter {}

    transition {
      days          = 90
      storage_class = "GLACIER_IR"
    }

    expiration {
      days = var.keep_days
    }

    noncurrent_version_expiration {
      noncurrent_days = 7
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }
}

resource "aws_s3_bucket_policy" "this" {
  bucket = aws_s3_bucket.this.id
  policy = data.aws_iam_policy_document.bucket.json

  # S3 refuses a policy while it is still deciding whether policies may be public.
  depends_on = [aws_s3_bucket_public_access_block.this]
}

data "aws_iam_policy_document" "bucket" {
  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [local.arn, "${local.arn}/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }

  dynamic "statement" {
    for_each = {
      BucketAccessLogs = { service = "logging.s3.amazonaws.com", folder = "s3" }
      LoadBalancerLogs = { service = "logdelivery.elasticloadbalancing.amazonaws.com", folder = "alb" }
      FlowLogs         = { service = "delivery.logs.amazonaws.com", folder = "flow" }
    }

    content {
      sid       = statement.key
      actions   = ["s3:PutObject"]
      resources = ["${local.arn}/${statement.value.folder}/*"]

      principals {
        type        = "Service"
        identifiers = [statement.value.service]
      }

      # Else a stranger's bucket could be told to log into ours.
      condition {
        test     = "StringEquals"
        variable = "aws:SourceAccount"
        values   = [local.account]
      }
    }
  }

  statement {
    sid       = "FlowLogsLookFirst"
    actions   = ["s3:GetBucketAcl"]
    resources = [local.arn]

    principals {
      type        = "Service"
      identifiers = ["delivery.logs.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }
}
