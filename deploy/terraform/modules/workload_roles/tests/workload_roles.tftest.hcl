mock_provider "aws" {
  source          = "../../mocks"
  override_during = plan
}

variables {
  cluster_name      = "esteira-test"
  oidc_provider_arn = "arn:aws:iam::123456789012:oidc-provider/oidc.eks.us-east-1.amazonaws.com/id/0123"
  oidc_issuer       = "oidc.eks.us-east-1.amazonaws.com/id/0123"
  target_group_arn  = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/a/b"
  secrets_key_arn   = "arn:aws:kms:us-east-1:123456789012:key/c"

  database_owner_secret_arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:rds!cluster-a-b"

  names = {
    prefix           = "esteira-test"
    state_machine    = "esteira-test"
    events_queue     = "esteira-test-events"
    events_key       = "arn:aws:kms:us-east-1:123456789012:key/a"
    storage_key      = "arn:aws:kms:us-east-1:123456789012:key/b"
    steps_role       = "arn:aws:iam::123456789012:role/esteira-test-steps"
    uploads_bucket   = "esteira-test-uploads"
    results_bucket   = "esteira-test-results"
    manifests_bucket = "esteira-test-manifests"
  }
}

run "each_process_may_do_what_the_tests_saw_and_no_more" {
  command = plan

  assert {
    condition = alltrue([
      for process, document in data.aws_iam_policy_document.process :
      sort(flatten([for said in document.statement : [for resource in said.resources : "${one(said.actions)} ${resource}"]])) ==
      sort(flatten([for action, resources in local.granted[process] : [for resource in resources : "${action} ${resource}"]]))
    ])
    error_message = "A role's grants must be those of deploy/iam/grants.json."
  }

  assert {
    condition     = toset(keys(local.granted)) == toset(concat(keys(local.processes), ["state_machine"]))
    error_message = "deploy/iam names a process that has no role here."
  }

  assert {
    condition     = !anytrue([for document in data.aws_iam_policy_document.process : anytrue([for said in document.statement : contains(said.actions, "batch:SubmitJob")])])
    error_message = "No process of ours submits Batch jobs; only the state machine does."
  }
}

run "only_its_own_service_account_becomes_a_role" {
  command = plan

  assert {
    condition = alltrue([
      for account, trust in data.aws_iam_policy_document.trust :
      alltrue([for when in trust.statement[0].condition : when.test == "StringEquals" && length(when.values) == 1 && !strcontains(one(when.values), "*")])
    ])
    error_message = "Service accounts are compared whole, without patterns."
  }

  assert {
    condition     = anytrue([for when in data.aws_iam_policy_document.trust["web"].statement[0].condition : when.variable == "${var.oidc_issuer}:sub" && one(when.values) == "system:serviceaccount:esteira:web"])
    error_message = "The role of web must be for the service account web."
  }

  assert {
    condition     = alltrue([for trust in data.aws_iam_policy_document.trust : toset([for when in trust.statement[0].condition : when.variable]) == toset(["${var.oidc_issuer}:aud", "${var.oidc_issuer}:sub"])])
    error_message = "Both the audience and the subject must be checked."
  }
}

run "controllers_keep_to_this_environment" {
  command = plan

  assert {
    condition     = anytrue([for said in data.aws_iam_policy_document.autoscaler.statement : said.sid == "ChangeOurGroups" && length(said.condition) == 1])
    error_message = "The autoscaler may change groups of this cluster only."
  }

  assert {
    condition     = alltrue([for said in data.aws_iam_policy_document.secrets.statement : !contains(said.resources, "*")])
    error_message = "Secrets of other environments must not be read."
  }

  assert {
    condition = toset(flatten([for said in data.aws_iam_policy_document.secrets.statement : said.resources if contains(said.actions, "secretsmanager:GetSecretValue")])) == toset([
      "arn:aws:secretsmanager:us-east-1:123456789012:secret:esteira-test/*", var.database_owner_secret_arn,
    ])
    error_message = "Of RDS's own secrets, the one of this database must be read, and no other."
  }

  assert {
    condition     = !anytrue([for document in data.aws_iam_policy_document.process : anytrue([for said in document.statement : anytrue([for action in said.actions : startswith(action, "secretsmanager:")])])])
    error_message = "No process of ours reads secrets by itself."
  }
}

run "an_issuer_with_https_is_refused" {
  command = plan

  variables {
    oidc_issuer = "https://oidc.eks.us-east-1.amazonaws.com/id/0123"
  }

  expect_failures = [var.oidc_issuer]
}
