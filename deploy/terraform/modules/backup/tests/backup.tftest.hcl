mock_provider "aws" {
  source          = "../../mocks"
  override_during = plan
}

mock_provider "aws" {
  alias           = "far"
  source          = "../../mocks"
  override_during = plan
}

variables {
  name          = "esteira-test"
  resource_arns = { database = "arn:aws:rds:us-east-1:123456789012:cluster:esteira-test" }
  lock          = true
  topic_arn     = "arn:aws:sns:us-east-1:123456789012:esteira-test-alarms"
}

run "to_any_second_of_35_days_and_to_any_month_of_a_year" {
  command = plan

  assert {
    condition     = { for rule in aws_backup_plan.this.rule : rule.rule_name => rule.lifecycle[0].delete_after } == { continuous = 35, daily = 35, monthly = 365 }
    error_message = "Backups must be kept for 35 days, and monthly ones for a year."
  }

  assert {
    condition     = anytrue([for rule in aws_backup_plan.this.rule : rule.enable_continuous_backup == true])
    error_message = "It must be possible to go back to any second."
  }

  assert {
    condition     = toset(aws_backup_selection.this.resources) == toset(["arn:aws:rds:us-east-1:123456789012:cluster:esteira-test"])
    error_message = "The database must be backed up."
  }
}

run "a_copy_lies_in_another_region" {
  command = plan

  assert {
    condition     = alltrue([for rule in aws_backup_plan.this.rule : length(rule.copy_action) == 1 if rule.rule_name != "continuous"])
    error_message = "A region that is lost must not take the backups with it."
  }
}

run "nobody_deletes_a_backup_before_its_time" {
  command = plan

  assert {
    condition     = aws_backup_vault_lock_configuration.here["on"].min_retention_days == 30 && aws_backup_vault_lock_configuration.far["on"].min_retention_days == 30
    error_message = "Both vaults must be locked."
  }

  assert {
    condition     = aws_kms_key.here.enable_key_rotation && aws_kms_key.far.enable_key_rotation
    error_message = "Both vaults must have a key that rotates."
  }

  assert {
    condition     = contains(aws_backup_vault_notifications.this.backup_vault_events, "BACKUP_JOB_FAILED") && contains(aws_backup_vault_notifications.this.backup_vault_events, "COPY_JOB_FAILED")
    error_message = "A backup that fails must be told."
  }
}

run "backing_up_nothing_is_refused" {
  command = plan

  variables {
    resource_arns = {}
  }

  expect_failures = [var.resource_arns]
}
