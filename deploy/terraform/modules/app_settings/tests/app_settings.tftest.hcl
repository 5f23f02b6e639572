mock_provider "aws" {
  source          = "../../mocks"
  override_during = plan
}

variables {
  name            = "esteira-test"
  settings        = { ESTEIRA_ENGINE = "aws" }
  secrets         = { secret-key = "ESTEIRA_SECRET_KEY" }
  secrets_key_arn = "arn:aws:kms:us-east-1:123456789012:key/a"
}

run "settings_are_parameters_and_secrets_are_secrets" {
  command = plan

  assert {
    condition     = aws_ssm_parameter.this["ESTEIRA_ENGINE"].name == "/esteira-test/settings/ESTEIRA_ENGINE" && aws_ssm_parameter.this["ESTEIRA_ENGINE"].value == "aws"
    error_message = "External Secrets looks for settings below /NAME/settings/."
  }

  assert {
    condition     = alltrue([for made in aws_secretsmanager_secret.this : made.kms_key_id == var.secrets_key_arn && made.recovery_window_in_days == 30])
    error_message = "Secrets must be encrypted with our key, and a deletion be taken back for 30 days."
  }

  assert {
    condition     = alltrue([for document in data.aws_iam_policy_document.secret : one(document.statement).effect == "Deny"])
    error_message = "Nobody of another account may read a secret."
  }
}

run "a_secret_among_settings_is_refused" {
  command = plan

  variables {
    settings = { ESTEIRA_SECRET_KEY = "not-here" }
  }

  expect_failures = [var.settings]
}
