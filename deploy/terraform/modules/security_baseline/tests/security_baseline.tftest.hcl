mock_provider "aws" {
  source          = "../../mocks"
  override_during = plan
}

variables {
  name             = "esteira-test"
  logs_key_arn     = "arn:aws:kms:us-east-1:123456789012:key/a"
  watched_buckets  = ["esteira-test-uploads", "esteira-test-results"]
  config_frequency = "CONTINUOUS"
}

run "the_trail_is_whole_and_cannot_be_shortened" {
  command = plan

  assert {
    condition     = aws_cloudtrail.this.is_multi_region_trail && aws_cloudtrail.this.enable_log_file_validation && aws_cloudtrail.this.include_global_service_events
    error_message = "The trail must cover every region, and show when a file of it was changed."
  }

  assert {
    condition     = aws_cloudtrail.this.kms_key_id == var.logs_key_arn
    error_message = "The trail must be encrypted with our key."
  }

  assert {
    condition     = aws_s3_bucket_object_lock_configuration.audit.rule[0].default_retention[0].mode == "COMPLIANCE" && aws_s3_bucket_object_lock_configuration.audit.rule[0].default_retention[0].days == 365
    error_message = "Nobody may delete the trail within a year."
  }

  assert {
    condition = anytrue(flatten([
      for said in aws_cloudtrail.this.advanced_event_selector : [
        for field in said.field_selector : contains(coalesce(field.starts_with, []), "arn:aws:s3:::esteira-test-uploads/")
      ]
    ]))
    error_message = "Writes to files of people must be on the trail."
  }

  assert {
    condition = alltrue([
      aws_s3_bucket_public_access_block.audit.block_public_acls, aws_s3_bucket_public_access_block.audit.block_public_policy,
      aws_s3_bucket_public_access_block.audit.ignore_public_acls, aws_s3_bucket_public_access_block.audit.restrict_public_buckets,
    ])
    error_message = "The audit bucket must be closed to the public in all four ways."
  }

  assert {
    condition = alltrue([
      for said in data.aws_iam_policy_document.audit.statement :
      anytrue([for when in said.condition : when.variable == "aws:SourceAccount"]) if said.effect != "Deny"
    ])
    error_message = "Only services in the name of this account may write to it."
  }
}

run "what_watches_is_on" {
  command = plan

  assert {
    condition     = aws_config_configuration_recorder.this.recording_group[0].all_supported && aws_config_configuration_recorder_status.this.is_enabled
    error_message = "Config must record everything."
  }

  assert {
    condition     = aws_guardduty_detector.this.enable && length(aws_guardduty_detector_feature.this) == 4 && aws_guardduty_detector_feature.runtime.status == "ENABLED"
    error_message = "GuardDuty must look at buckets, cluster, database, disks and what runs."
  }

  assert {
    condition     = length(aws_securityhub_standards_subscription.this) == 2
    error_message = "Security Hub must hold the account to AWS's and CIS's standards."
  }

  assert {
    condition     = aws_accessanalyzer_analyzer.this.type == "ACCOUNT" && toset(aws_inspector2_enabler.this.resource_types) == toset(["EC2", "ECR"])
    error_message = "What is open to others, and what has known holes, must be found."
  }
}

run "the_accounts_defaults_are_safe" {
  command = plan

  assert {
    condition     = aws_s3_account_public_access_block.this.block_public_policy && aws_s3_account_public_access_block.this.restrict_public_buckets && aws_ebs_encryption_by_default.this.enabled
    error_message = "No bucket may become public, and no disk be made unencrypted."
  }

  assert {
    condition     = aws_ec2_instance_metadata_defaults.this.http_tokens == "required"
    error_message = "Metadata must want a token everywhere."
  }
}

run "watching_nothing_is_refused" {
  command = plan

  variables {
    watched_buckets = []
  }

  expect_failures = [var.watched_buckets]
}
