# The one state machine that runs every pipeline (docs/design/0005). Its definition is the file that the tests execute,
# deployed as it is. Adding a pipeline changes nothing here.
#
# Its role may do what `deploy/iam/grants.json` says for `state_machine`, which is what the tests saw it ask, and may
# deliver its log and its traces. It logs errors without the data of executions, which names people's files.

data "aws_caller_identity" "current" {}

data "aws_region" "current" {}

locals {
  account  = data.aws_caller_identity.current.account_id
  region   = data.aws_region.current.region
  arn      = "arn:aws:states:${local.region}:${local.account}:stateMachine:${var.name}"
  platform = "${path.module}/../../../.."
  grants = jsondecode(templatefile("${local.platform}/deploy/iam/grants.json", {
    account = local.account, region = local.region, prefix = var.name, state_machine = var.name
    # The machine's own grants name none of these.
    events_key = "", events_queue = "", manifests_bucket = "", manifests_folder = "", results_bucket = "", results_folder = ""
    steps_role = "", storage_key = "", uploads_bucket = "", uploads_folder = "", code_folder = ""
  }))["state_machine"]
}

resource "aws_sfn_state_machine" "this" {
  # checkov:skip=CKV_AWS_285:Data of executions names people's files; errors are logged without it.
  name       = var.name
  type       = "STANDARD"
  role_arn   = aws_iam_role.this.arn
  definition = file("${local.platform}/orchestration/engines/step_functions/pipeline.asl.json")
  publish    = true

  logging_configuration {
    level                  = "ERROR"
    include_execution_data = false
    log_destination        = "${aws_cloudwatch_log_group.this.arn}:*"
  }

  tracing_configuration {
    enabled = true
  }

  # Step Functions tries the role as it makes the machine, and refuses what it may not yet.
  depends_on = [aws_iam_role_policy.this, aws_iam_role_policy.delivery]
}

resource "aws_cloudwatch_log_group" "this" {
  # This prefix keeps its log delivery out of the account's policy for log resources, which has 5,120 characters.
  name              = "/aws/vendedlogs/states/${var.name}"
  retention_in_days = 365
  kms_key_id        = var.logs_key_arn
}

resource "aws_iam_role" "this" {
  name               = "${var.name}-state-machine"
  assume_role_policy = data.aws_iam_policy_document.trust.json
}

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["states.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }

    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = [local.arn]
    }
  }
}

resource "aws_iam_role_policy" "this" {
  name   = "grants"
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.grants.json
}

data "aws_iam_policy_document" "grants" {
  dynamic "statement" {
    for_each = local.grants

    content {
      sid       = replace(title(replace(statement.key, ":", " ")), " ", "")
      actions   = [statement.key]
      resources = statement.value
    }
  }
}

resource "aws_iam_role_policy" "delivery" {
  name   = "log-and-traces"
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.delivery.json
}

data "aws_iam_policy_document" "delivery" {
  # checkov:skip=CKV_AWS_111:Log delivery and tracing know no resources.
  # checkov:skip=CKV_AWS_356:The same.
  statement {
    sid = "LogDelivery"
    actions = [
      "logs:CreateLogDelivery", "logs:DeleteLogDelivery", "logs:DescribeLogGroups", "logs:DescribeResourcePolicies", "logs:GetLogDelivery",
      "logs:ListLogDeliveries", "logs:PutResourcePolicy", "logs:UpdateLogDelivery",
    ]
    resources = ["*"]
  }

  statement {
    sid       = "Traces"
    actions   = ["xray:GetSamplingRules", "xray:GetSamplingTargets", "xray:PutTelemetryRecords", "xray:PutTraceSegments"]
    resources = ["*"]
  }
}
