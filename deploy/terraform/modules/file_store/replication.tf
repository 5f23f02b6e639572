# The far copy: every version, its deletion markers too, encrypted there with that region's key.

resource "aws_s3_bucket_replication_configuration" "this" {
  for_each = var.replica == null ? {} : { to = var.replica }

  bucket = aws_s3_bucket.this.id
  role   = aws_iam_role.replication["to"].arn

  # S3 refuses replication between buckets without versions.
  depends_on = [aws_s3_bucket_versioning.this]

  rule {
    id       = "everything"
    status   = "Enabled"
    priority = 1
    filter {}

    delete_marker_replication {
      status = "Enabled"
    }

    source_selection_criteria {
      sse_kms_encrypted_objects {
        status = "Enabled"
      }
    }

    destination {
      bucket        = each.value.bucket_arn
      storage_class = "GLACIER_IR"

      encryption_configuration {
        replica_kms_key_id = each.value.kms_key_arn
      }
    }
  }
}

resource "aws_iam_role" "replication" {
  for_each = var.replica == null ? {} : { to = var.replica }

  name               = "${var.bucket}-replicate"
  assume_role_policy = data.aws_iam_policy_document.replication_trust["to"].json
}

data "aws_iam_policy_document" "replication_trust" {
  for_each = var.replica == null ? {} : { to = var.replica }

  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["s3.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }
}

resource "aws_iam_role_policy" "replication" {
  for_each = var.replica == null ? {} : { to = var.replica }

  name   = "replicate"
  role   = aws_iam_role.replication["to"].id
  policy = data.aws_iam_policy_document.replication["to"].json
}

data "aws_iam_policy_document" "replication" {
  for_each = var.replica == null ? {} : { to = var.replica }

  statement {
    sid       = "ReadOurs"
    actions   = ["s3:GetReplicationConfiguration", "s3:ListBucket"]
    resources = [local.arn]
  }

  statement {
    sid       = "ReadVersions"
    actions   = ["s3:GetObjectVersionAcl", "s3:GetObjectVersionForReplication", "s3:GetObjectVersionTagging"]
    resources = ["${local.arn}/*"]
  }

  statement {
    sid       = "WriteTheirs"
    actions   = ["s3:ReplicateDelete", "s3:ReplicateObject", "s3:ReplicateTags"]
    resources = ["${each.value.bucket_arn}/*"]
  }

  statement {
    sid       = "ReadKey"
    actions   = ["kms:Decrypt"]
    resources = [var.kms_key_arn]
  }

  statement {
    sid       = "WriteKey"
    actions   = ["kms:Encrypt", "kms:GenerateDataKey"]
    resources = [each.value.kms_key_arn]
  }
}
