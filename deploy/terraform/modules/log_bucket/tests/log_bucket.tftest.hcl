mock_provider "aws" {
  source          = "../../mocks"
  override_during = plan
}

variables {
  name = "esteira-test"
}

run "nobody_outside_reads_logs" {
  command = plan

  assert {
    condition = alltrue([
      aws_s3_bucket_public_access_block.this.block_public_acls, aws_s3_bucket_public_access_block.this.block_public_policy,
      aws_s3_bucket_public_access_block.this.ignore_public_acls, aws_s3_bucket_public_access_block.this.restrict_public_buckets,
    ])
    error_message = "The log bucket must be closed to the public in all four ways."
  }

  assert {
    condition = anytrue([
      for said in data.aws_iam_policy_document.bucket.statement : said.effect == "Deny" && said.sid == "TlsOnly"
    ])
    error_message = "Plain HTTP must be denied."
  }

  assert {
    condition = alltrue([
      for said in data.aws_iam_policy_document.bucket.statement :
      anytrue([for when in said.condition : when.variable == "aws:SourceAccount" && contains(when.values, "123456789012")])
      if said.effect != "Deny"
    ])
    error_message = "Services may write in the name of this account only."
  }
}

run "logs_are_kept_for_a_year" {
  command = plan

  assert {
    condition     = one(aws_s3_bucket_lifecycle_configuration.this.rule[0].expiration).days == 365
    error_message = "Logs must be kept for a year."
  }
}

run "shorter_is_refused" {
  command = plan

  variables {
    keep_days = 90
  }

  expect_failures = [var.keep_days]
}
