# What happens on AWS reaches the platform: EventBridge → SQS → `manage.py consume_events`. It only makes things sooner:
# the platform's reconciler finds what an event would have said. A message that nobody understands is not lost: after
# five tries it lies in the dead-letter queue, for 14 days, and an alarm tells somebody.

data "aws_caller_identity" "current" {}

data "aws_region" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  region    = data.aws_region.current.region
  queue_arn = "arn:aws:sqs:${local.region}:${local.account}:${var.name}-events"
  dead_arn  = "arn:aws:sqs:${local.region}:${local.account}:${var.name}-events-dead"

  # By prefixes and names, never by lists of ARNs: a pattern has 2,048 characters.
  rules = {
    batch-jobs = {
      source      = ["aws.batch"]
      detail-type = ["Batch Job State Change"]
      detail = {
        status   = ["RUNNABLE", "RUNNING", "SUCCEEDED", "FAILED"]
        jobQueue = [{ prefix = "arn:aws:batch:${local.region}:${local.account}:job-queue/${var.name}-" }]
      }
    }
    batch-blocked = {
      source      = ["aws.batch"]
      detail-type = ["Batch Job Queue Blocked"]
      detail = {
        jobQueue = [{ prefix = "arn:aws:batch:${local.region}:${local.account}:job-queue/${var.name}-" }]
      }
    }
    executions = {
      source      = ["aws.states"]
      detail-type = ["Step Functions Execution Status Change"]
      detail = {
        stateMachineArn = ["arn:aws:states:${local.region}:${local.account}:stateMachine:${var.state_machine_name}"]
      }
    }
    scans = {
      source      = ["aws.guardduty"]
      detail-type = ["GuardDuty Malware Protection Object Scan Result"]
      detail      = { s3ObjectDetails = { bucketName = [var.uploads_bucket] } }
    }
  }
}

resource "aws_sqs_queue" "events" {
  name                       = "${var.name}-events"
  kms_master_key_id          = var.kms_key_arn
  message_retention_seconds  = 14 * 24 * 3600
  visibility_timeout_seconds = 60
  receive_wait_time_seconds  = 20
  max_message_size           = 262144

  redrive_policy = jsonencode({
    deadLetterTargetArn = local.dead_arn
    maxReceiveCount     = 5
  })

  depends_on = [aws_sqs_queue.dead]
}

resource "aws_sqs_queue" "dead" {
  name                      = "${var.name}-events-dead"
  kms_master_key_id         = var.kms_key_arn
  message_retention_seconds = 14 * 24 * 3600

  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [local.queue_arn]
  })
}

resource "aws_sqs_queue_policy" "this" {
  for_each = { events = aws_sqs_queue.events.id, dead = aws_sqs_queue.dead.id }

  queue_url = each.value
  policy    = data.aws_iam_policy_document.queue[each.key].json
}

data "aws_iam_policy_document" "queue" {
  for_each = { events = local.queue_arn, dead = local.dead_arn }

  statement {
    sid       = "RulesOfThisAccount"
    actions   = ["sqs:SendMessage"]
    resources = [each.value]

    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com"]
    }

    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = ["arn:aws:events:${local.region}:${local.account}:rule/${var.name}-*"]
    }
  }

  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["sqs:DeleteMessage", "sqs:ReceiveMessage", "sqs:SendMessage"]
    resources = [each.value]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_cloudwatch_event_rule" "this" {
  for_each = local.rules

  name          = "${var.name}-${each.key}"
  event_pattern = jsonencode(each.value)
}

resource "aws_cloudwatch_event_target" "this" {
  for_each = aws_cloudwatch_event_rule.this

  rule      = each.value.name
  target_id = "events"
  arn       = local.queue_arn

  retry_policy {
    maximum_event_age_in_seconds = 86400
    maximum_retry_attempts       = 185
  }

  dead_letter_config {
    arn = local.dead_arn
  }

  depends_on = [aws_sqs_queue_policy.this]
}
