mock_provider "aws" {
  source          = "../../mocks"
  override_during = plan
}

variables {
  name = "esteira-test"
}

run "keys_rotate_and_take_a_month_to_go" {
  command = plan

  assert {
    condition     = alltrue([for key in aws_kms_key.this : key.enable_key_rotation && key.rotation_period_in_days == 365])
    error_message = "Every key must rotate each year."
  }

  assert {
    condition     = alltrue([for key in aws_kms_key.this : key.deletion_window_in_days == 30])
    error_message = "A deleted key must be recoverable for 30 days."
  }

  assert {
    condition     = length(output.arns) == 6
    error_message = "Files, database, secrets, cluster, events and logs each need a key of their own."
  }
}

run "services_use_a_key_for_this_account_only" {
  command = plan

  assert {
    condition = alltrue(flatten([
      for document in data.aws_iam_policy_document.key : [
        for said in document.statement : length(said.condition) > 0 if !strcontains(said.sid, "AccountDelegates")
      ]
    ]))
    error_message = "A service may use a key only in the name of this account."
  }

  assert {
    condition = anytrue([
      for said in data.aws_iam_policy_document.key["events"].statement :
      anytrue([for who in said.principals : contains(who.identifiers, "events.amazonaws.com")])
    ])
    error_message = "EventBridge must be able to use the key of the queue, or events vanish."
  }
}

run "long_names_are_refused" {
  command = plan

  variables {
    name = "a-name-that-is-too-long-for-batch"
  }

  expect_failures = [var.name]
}
