mock_provider "aws" {
  source          = "../../mocks"
  override_during = plan
}

variables {
  name         = "esteira-test"
  repositories = { platform = { keep = 30 }, steps = { keep = 1000 } }
  kms_key_arn  = "arn:aws:kms:us-east-1:123456789012:key/a"
}

run "images_are_fixed_scanned_and_encrypted" {
  command = plan

  assert {
    condition     = alltrue([for made in aws_ecr_repository.this : made.image_tag_mutability == "IMMUTABLE"])
    error_message = "A tag must mean the same image for ever."
  }

  assert {
    condition     = alltrue([for made in aws_ecr_repository.this : made.image_scanning_configuration[0].scan_on_push]) && aws_ecr_registry_scanning_configuration.this.scan_type == "ENHANCED"
    error_message = "Images must be scanned when they come, and again as holes become known."
  }

  assert {
    condition     = alltrue([for made in aws_ecr_repository.this : made.encryption_configuration[0].kms_key == var.kms_key_arn])
    error_message = "Images must be encrypted with our key."
  }
}

run "nothing_to_roll_back_to_is_refused" {
  command = plan

  variables {
    repositories = { platform = { keep = 1 } }
  }

  expect_failures = [var.repositories]
}
