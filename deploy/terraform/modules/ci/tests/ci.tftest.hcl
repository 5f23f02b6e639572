mock_provider "aws" {
  source          = "../../mocks"
  override_during = plan
}

variables {
  name             = "esteira-test"
  repository       = "example/esteira"
  environment      = "test"
  state_bucket_arn = "arn:aws:s3:::esteira-test-state"
  state_key_arn    = "arn:aws:kms:us-east-1:123456789012:key/a"
}

run "each_role_is_for_one_kind_of_run" {
  command = plan

  assert {
    condition = alltrue([
      for trust in data.aws_iam_policy_document.trust : alltrue([
        for when in trust.statement[0].condition : when.test == "StringEquals" && !anytrue([for value in when.values : strcontains(value, "*")])
      ])
    ])
    error_message = "Who may assume a CI role is compared whole, without patterns."
  }

  assert {
    condition = alltrue([
      for trust in data.aws_iam_policy_document.trust :
      sort([for when in trust.statement[0].condition : when.variable]) == tolist(["token.actions.githubusercontent.com:aud", "token.actions.githubusercontent.com:sub"])
    ])
    error_message = "Both the audience and the subject must be checked: without the subject any repository on GitHub gets in."
  }

  assert {
    condition     = anytrue([for when in data.aws_iam_policy_document.trust["apply"].statement[0].condition : one(when.values) == "repo:example/esteira:environment:test"])
    error_message = "Only a run behind the environment's gate may change anything."
  }

  assert {
    condition     = anytrue([for when in data.aws_iam_policy_document.trust["deploy"].statement[0].condition : one(when.values) == "repo:example/esteira:environment:test-release"])
    error_message = "Whoever may release must not be let in as whoever may apply."
  }

  assert {
    condition     = alltrue([for role in aws_iam_role.this : role.max_session_duration == 3600])
    error_message = "A session lasts an hour."
  }
}

run "a_change_keeps_its_hands_off_its_own_rights_and_the_trail" {
  command = plan

  assert {
    condition     = aws_iam_role.this["apply"].permissions_boundary == aws_iam_policy.boundary.arn
    error_message = "The role that applies must have the boundary."
  }

  assert {
    condition = alltrue([
      for action in ["cloudtrail:StopLogging", "iam:CreateUser", "iam:DeleteRolePermissionsBoundary"] :
      anytrue([for said in data.aws_iam_policy_document.boundary.statement : said.effect == "Deny" && contains(said.actions, action)])
    ])
    error_message = "The boundary must deny changing itself, making people and stopping the trail."
  }
}

run "a_plan_reads_no_files_of_people" {
  command = plan

  assert {
    condition = alltrue([
      for action in ["s3:GetObject", "secretsmanager:GetSecretValue"] :
      anytrue([for said in data.aws_iam_policy_document.plan.statement : said.effect == "Deny" && contains(said.actions, action)])
    ])
    error_message = "A pull request must not read files or secrets."
  }
}

run "a_release_reads_one_secret_and_nothing_else" {
  command = plan

  assert {
    condition = alltrue([
      for said in data.aws_iam_policy_document.deploy.statement :
      contains(["secretsmanager:GetSecretValue", "kms:Decrypt"], one(said.actions))
    ])
    error_message = "A release must have no way into the account but the smoke test's token."
  }

  assert {
    condition = one([
      for said in data.aws_iam_policy_document.deploy.statement : one(said.resources) if said.sid == "SmokeToken"
    ]) == "arn:aws:secretsmanager:us-east-1:123456789012:secret:esteira-test/smoke-token-??????"
    error_message = "A release must read the smoke test's token alone."
  }

  assert {
    condition = anytrue(flatten([
      for said in data.aws_iam_policy_document.deploy.statement : [
        for when in said.condition : when.variable == "kms:EncryptionContext:SecretARN"
      ]
    ]))
    error_message = "A key must open that secret alone."
  }
}

run "a_pattern_of_repositories_is_refused" {
  command = plan

  variables {
    repository = "example/*"
  }

  expect_failures = [var.repository]
}
