mock_provider "aws" {
  source          = "../../mocks"
  override_during = plan
}

variables {
  bucket         = "esteira-test-uploads"
  kms_key_arn    = "arn:aws:kms:us-east-1:123456789012:key/a"
  log_bucket     = "esteira-test-logs"
  retention_days = 365
  cors_origin    = "https://esteira.example.org"
}

run "the_bucket_is_private_versioned_and_encrypted" {
  command = plan

  assert {
    condition = alltrue([
      aws_s3_bucket_public_access_block.this.block_public_acls, aws_s3_bucket_public_access_block.this.block_public_policy,
      aws_s3_bucket_public_access_block.this.ignore_public_acls, aws_s3_bucket_public_access_block.this.restrict_public_buckets,
    ])
    error_message = "The bucket must be closed to the public in all four ways."
  }

  assert {
    condition     = aws_s3_bucket_versioning.this.versioning_configuration[0].status == "Enabled"
    error_message = "Versions must be kept."
  }

  assert {
    condition = alltrue([
      for rule in aws_s3_bucket_server_side_encryption_configuration.this.rule :
      rule.apply_server_side_encryption_by_default[0].sse_algorithm == "aws:kms"
      && rule.apply_server_side_encryption_by_default[0].kms_master_key_id == var.kms_key_arn
      && rule.bucket_key_enabled
      && contains(rule.blocked_encryption_types, "SSE-C")
    ])
    error_message = "Everything must be encrypted with our key, with a bucket key, and with no key of a client."
  }

  assert {
    condition     = aws_s3_bucket_ownership_controls.this.rule[0].object_ownership == "BucketOwnerEnforced"
    error_message = "No ACL may give an object away."
  }

  assert {
    condition     = aws_s3_bucket_logging.this["to"].target_bucket == "esteira-test-logs"
    error_message = "Access must be logged."
  }
}

run "what_is_not_as_it_must_be_is_denied" {
  command = plan

  assert {
    condition     = alltrue([for said in data.aws_iam_policy_document.bucket.statement : said.effect == "Deny"])
    error_message = "The bucket's policy only denies; what is allowed is said by roles."
  }

  assert {
    condition = alltrue([
      for wanted in ["aws:SecureTransport", "s3:TlsVersion", "s3:x-amz-server-side-encryption", "s3:x-amz-server-side-encryption-aws-kms-key-id"] :
      anytrue([for said in data.aws_iam_policy_document.bucket.statement : anytrue([for when in said.condition : when.variable == wanted])])
    ])
    error_message = "Plain HTTP, old TLS, other ciphers and other keys must be denied."
  }
}

run "uploads_are_kept_for_a_year_and_their_parts_for_31_days" {
  command = plan

  assert {
    condition     = one([for rule in aws_s3_bucket_lifecycle_configuration.this.rule : rule if rule.id == "retention"]).expiration[0].days == 365
    error_message = "Uploads are kept for 365 days."
  }

  assert {
    condition     = one([for rule in aws_s3_bucket_lifecycle_configuration.this.rule : rule if rule.id == "retention"]).noncurrent_version_expiration[0].noncurrent_days > 3660
    error_message = "No rule may destroy what somebody held or extended: ESTEIRA_MAX_RETENTION_DAYS is 3660."
  }

  assert {
    condition     = one([for rule in aws_s3_bucket_lifecycle_configuration.this.rule : rule if rule.id == "parts"]).abort_incomplete_multipart_upload[0].days_after_initiation == 31
    error_message = "Parts of unfinished uploads must go after 31 days: check_storage asks for it."
  }

  assert {
    condition = sort([
      for move in one([for rule in aws_s3_bucket_lifecycle_configuration.this.rule : rule if rule.id == "retention"]).transition :
      "${move.storage_class} after ${move.days}"
    ]) == tolist(["GLACIER_IR after 90", "STANDARD_IA after 30"])
    error_message = "Files must get cheaper after 30 and 90 days, in classes that answer at once."
  }
}

run "pages_may_send_parts" {
  command = plan

  assert {
    condition = alltrue([
      for rule in aws_s3_bucket_cors_configuration.this["pages"].cors_rule :
      tolist(rule.allowed_origins) == tolist(["https://esteira.example.org"]) && contains(rule.allowed_methods, "PUT") && contains(rule.expose_headers, "ETag")
    ])
    error_message = "The page must be able to send parts and read their ETag, and no other page."
  }

  assert {
    condition     = aws_s3_bucket_notification.this.eventbridge
    error_message = "Events of the bucket must reach EventBridge."
  }
}

run "results_are_kept_for_five_years" {
  command = plan

  variables {
    bucket         = "esteira-test-results"
    retention_days = 1826
    folder         = "results/"
    cors_origin    = null
  }

  assert {
    condition     = one([for rule in aws_s3_bucket_lifecycle_configuration.this.rule : rule if rule.id == "retention"]).expiration[0].days == 1826
    error_message = "Results are kept for five years."
  }

  assert {
    condition     = one([for rule in aws_s3_bucket_lifecycle_configuration.this.rule : rule if rule.id == "retention"]).filter[0].prefix == "results/"
    error_message = "No rule may delete what lies beside the results: the code of pipelines."
  }

  assert {
    condition     = length(aws_s3_bucket_cors_configuration.this) == 0
    error_message = "No page sends results."
  }
}

run "scanning_is_a_switch" {
  command = plan

  variables {
    scan = true
  }

  assert {
    condition     = aws_guardduty_malware_protection_plan.this["on"].actions[0].tagging[0].status == "ENABLED"
    error_message = "The answer of the scan is read from the tag."
  }
}

run "the_far_copy_is_a_switch" {
  command = plan

  variables {
    replica = {
      bucket_arn  = "arn:aws:s3:::esteira-test-uploads-copy"
      kms_key_arn = "arn:aws:kms:us-west-2:123456789012:key/b"
    }
  }

  assert {
    condition = alltrue([
      for rule in aws_s3_bucket_replication_configuration.this["to"].rule :
      rule.status == "Enabled"
      && rule.source_selection_criteria[0].sse_kms_encrypted_objects[0].status == "Enabled"
      && rule.destination[0].encryption_configuration[0].replica_kms_key_id == var.replica.kms_key_arn
    ])
    error_message = "The copy must hold encrypted files too, under its own region's key."
  }
}

run "a_folder_is_named_whole" {
  command = plan

  variables {
    folder = "results"
  }

  expect_failures = [var.folder]
}

run "any_page_is_refused" {
  command = plan

  variables {
    cors_origin = "*"
  }

  expect_failures = [var.cors_origin]
}
