# One bucket with files of people in it: private, versioned, encrypted with a key of ours, reached by TLS only.
# Used for uploads, results, manifests, and as the far copy of any of them.
#
# **Who deletes.** The platform does, by each file's own date, hold and undelete (docs/design/0004). The lifecycle rule
# is the second net: at `retention_days` it marks what is still current as deleted, which hides nothing from the
# platform, since it reads each file by its pinned version; the bytes go `net_days` after that. So no rule of S3
# destroys what somebody has held or extended, and nothing that was forgotten stays for ever.
#
# **What nothing deletes** (`folder`). Beside the results lies the code of pipelines, which is of use as long as a job
# may be run again: with `folder` the rule is for what lies in that one only, and code is outside of it.
#
# **No archive classes.** Files move to Infrequent Access after 30 days and to Glacier Instant Retrieval after 90, which
# both answer at once. The platform does not restore from Deep Archive, so nothing is put there.
#
# **Scanning** (`scan`) has GuardDuty tag each version; the platform lets nobody read a file before it is tagged clean.
# The bucket does not repeat that check, or what an administrator releases from quarantine could not be read.

data "aws_caller_identity" "current" {}

data "aws_region" "current" {}

locals {
  account = data.aws_caller_identity.current.account_id
  region  = data.aws_region.current.region
  arn     = "arn:aws:s3:::${var.bucket}"
}

resource "aws_s3_bucket" "this" {
  # checkov:skip=CKV_AWS_144:Replication to another region is the switch `replica`; who wants it pays for it twice.
  bucket = var.bucket

  lifecycle {
    prevent_destroy = true
  }
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
    # The platform pins each file to its version; without versions it does not start.
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    bucket_key_enabled       = true
    blocked_encryption_types = ["SSE-C"]

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = var.kms_key_arn
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  # Rules about old versions are refused while versioning is still being switched on.
  depends_on = [aws_s3_bucket_versioning.this]

  rule {
    id     = "retention"
    status = "Enabled"

    filter {
      prefix = var.folder
    }

    dynamic "transition" {
      for_each = { for class, days in { STANDARD_IA = 30, GLACIER_IR = 90 } : class => days if days < var.retention_days && var.tiered }

      content {
        storage_class = transition.key
        days          = transition.value
      }
    }

    expiration {
      days = var.retention_days
    }

    noncurrent_version_expiration {
      noncurrent_days = var.net_days
    }
  }

  rule {
    id     = "parts"
    status = "Enabled"
    filter {}

    abort_incomplete_multipart_upload {
      # An upload may take 30 days; its parts must outlive it.
      days_after_initiation = 31
    }
  }

  rule {
    id     = "markers"
    status = "Enabled"
    filter {}

    expiration {
      expired_object_delete_marker = true
    }
  }
}

resource "aws_s3_bucket_cors_configuration" "this" {
  for_each = var.cors_origin == null ? {} : { pages = var.cors_origin }

  bucket = aws_s3_bucket.this.id

  cors_rule {
    allowed_origins = [each.value]
    allowed_methods = ["GET", "HEAD", "PUT"]
    allowed_headers = ["*"]
    # Without it a page cannot learn what its part became, and the upload cannot be completed.
    expose_headers  = ["ETag"]
    max_age_seconds = 3000
  }
}

resource "aws_s3_bucket_notification" "this" {
  bucket      = aws_s3_bucket.this.id
  eventbridge = true
}

resource "aws_s3_bucket_logging" "this" {
  for_each = var.log_bucket == null ? {} : { to = var.log_bucket }

  bucket        = aws_s3_bucket.this.id
  target_bucket = each.value
  target_prefix = "s3/"

  target_object_key_format {
    partitioned_prefix {
      partition_date_source = "EventTime"
    }
  }
}

resource "aws_s3_bucket_policy" "this" {
  bucket     = aws_s3_bucket.this.id
  policy     = data.aws_iam_policy_document.bucket.json
  depends_on = [aws_s3_bucket_public_access_block.this]
}

data "aws_iam_policy_document" "bucket" {
  dynamic "statement" {
    for_each = {
      TlsOnly       = { test = "Bool", variable = "aws:SecureTransport", value = "false", on = [local.arn, "${local.arn}/*"], actions = ["s3:*"] }
      NoOldTls      = { test = "NumericLessThan", variable = "s3:TlsVersion", value = "1.2", on = [local.arn, "${local.arn}/*"], actions = ["s3:*"] }
      NoOtherCipher = { test = "StringNotEqualsIfExists", variable = "s3:x-amz-server-side-encryption", value = "aws:kms", on = ["${local.arn}/*"], actions = ["s3:PutObject"] }
      NoOtherKey    = { test = "StringNotEqualsIfExists", variable = "s3:x-amz-server-side-encryption-aws-kms-key-id", value = var.kms_key_arn, on = ["${local.arn}/*"], actions = ["s3:PutObject"] }
    }

    content {
      sid       = statement.key
      effect    = "Deny"
      actions   = statement.value.actions
      resources = statement.value.on

      principals {
        type        = "*"
        identifiers = ["*"]
      }

      condition {
        test     = statement.value.test
        variable = statement.value.variable
        values   = [statement.value.value]
      }
    }
  }
}
