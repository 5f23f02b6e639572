# What must be there before Terraform can keep its state and GitHub can sign in: run once in each account, by a person,
# with a state of its own on her machine that then moves into the bucket it made:
#
#     terraform init && terraform apply
#     terraform init -migrate-state   # after taking the comment from the backend block below
#
# Locking is S3's own (`use_lockfile`); no DynamoDB table is needed.

# terraform {
#   backend "s3" {
#     bucket       = "esteira-prod-state-123456789012"
#     key          = "bootstrap.tfstate"
#     region       = "us-east-1"
#     encrypt      = true
#     use_lockfile = true
#   }
# }

provider "aws" {
  region = var.region

  default_tags {
    tags = { project = "esteira", environment = var.environment, managed-by = "terraform" }
  }
}

data "aws_caller_identity" "current" {}

locals {
  name   = "esteira-${var.environment}"
  bucket = "${local.name}-state-${data.aws_caller_identity.current.account_id}"
  arn    = "arn:aws:s3:::${local.bucket}"
}

resource "aws_kms_key" "state" {
  # checkov:skip=CKV2_AWS_64:Without a policy of its own a key has AWS's default, which leaves it to IAM: what we want.
  description             = "${local.name} state"
  enable_key_rotation     = true
  deletion_window_in_days = 30

  lifecycle {
    prevent_destroy = true
  }
}

# trivy:ignore:AVD-AWS-0089 CloudTrail logs each access to the state with its data events; the log bucket comes later.
resource "aws_s3_bucket" "state" {
  # checkov:skip=CKV_AWS_18:CloudTrail logs each access to the state; the log bucket comes later.
  # checkov:skip=CKV_AWS_144:Versions are what a broken state is mended from; what it describes lives in this region.
  # checkov:skip=CKV2_AWS_62:Nobody waits for a new state.
  bucket = local.bucket

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_s3_bucket_ownership_controls" "state" {
  bucket = aws_s3_bucket.state.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "state" {
  bucket                  = aws_s3_bucket.state.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_versioning" "state" {
  bucket = aws_s3_bucket.state.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "state" {
  bucket = aws_s3_bucket.state.id

  rule {
    bucket_key_enabled       = true
    blocked_encryption_types = ["SSE-C"]

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = aws_kms_key.state.arn
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "state" {
  bucket     = aws_s3_bucket.state.id
  depends_on = [aws_s3_bucket_versioning.state]

  rule {
    id     = "old-states"
    status = "Enabled"
    filter {}

    noncurrent_version_expiration {
      newer_noncurrent_versions = 50
      noncurrent_days           = 365
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }
}

resource "aws_s3_bucket_policy" "state" {
  bucket     = aws_s3_bucket.state.id
  policy     = data.aws_iam_policy_document.state.json
  depends_on = [aws_s3_bucket_public_access_block.state]
}

data "aws_iam_policy_document" "state" {
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
}

module "ci" {
  source = "../modules/ci"

  name             = local.name
  repository       = var.repository
  environment      = var.environment
  state_bucket_arn = local.arn
  state_key_arn    = aws_kms_key.state.arn
}
