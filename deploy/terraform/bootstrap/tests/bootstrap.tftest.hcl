mock_provider "aws" {
  source          = "../mocks"
  override_during = plan
}

variables {
  environment = "prod"
  repository  = "example/esteira"
}

run "the_state_is_private_versioned_and_encrypted" {
  command = plan

  assert {
    condition = alltrue([
      aws_s3_bucket_public_access_block.state.block_public_acls, aws_s3_bucket_public_access_block.state.block_public_policy,
      aws_s3_bucket_public_access_block.state.ignore_public_acls, aws_s3_bucket_public_access_block.state.restrict_public_buckets,
    ])
    error_message = "The state must be closed to the public in all four ways."
  }

  assert {
    condition     = aws_s3_bucket_versioning.state.versioning_configuration[0].status == "Enabled"
    error_message = "A broken state is mended from its last version."
  }

  assert {
    condition = alltrue([
      for rule in aws_s3_bucket_server_side_encryption_configuration.state.rule :
      rule.apply_server_side_encryption_by_default[0].sse_algorithm == "aws:kms"
    ])
    error_message = "The state must be encrypted with our key."
  }

  assert {
    condition     = aws_kms_key.state.enable_key_rotation
    error_message = "The state's key must rotate."
  }
}

run "other_environments_are_refused" {
  command = plan

  variables {
    environment = "dev"
  }

  expect_failures = [var.environment]
}
