mock_provider "aws" {
  source          = "../../mocks"
  override_during = plan
}

variables {
  name               = "esteira-test"
  kms_key_arn        = "arn:aws:kms:us-east-1:123456789012:key/a"
  state_machine_name = "esteira-test"
  uploads_bucket     = "esteira-test-uploads"
}

run "every_kind_of_event_reaches_the_queue" {
  command = plan

  assert {
    condition = sort([for rule in aws_cloudwatch_event_rule.this : jsondecode(rule.event_pattern)["detail-type"][0]]) == tolist([
      "Batch Job Queue Blocked", "Batch Job State Change", "GuardDuty Malware Protection Object Scan Result", "Step Functions Execution Status Change",
    ])
    error_message = "The consumer understands four kinds of events; each needs its rule."
  }

  assert {
    condition     = alltrue([for target in aws_cloudwatch_event_target.this : target.arn == "arn:aws:sqs:us-east-1:123456789012:esteira-test-events"])
    error_message = "Every rule must send to the queue of events."
  }

  assert {
    condition     = alltrue([for rule in aws_cloudwatch_event_rule.this : length(rule.event_pattern) < 2048])
    error_message = "EventBridge takes patterns of 2,048 characters at most."
  }

  assert {
    condition     = can(regex("^https?://[^/]+/([0-9]{12})/[A-Za-z0-9_-]{1,80}$", output.queue_url))
    error_message = "The address must be one that ESTEIRA_EVENTS_QUEUE takes."
  }
}

run "nothing_is_lost" {
  command = plan

  assert {
    condition     = jsondecode(aws_sqs_queue.events.redrive_policy) == { deadLetterTargetArn = "arn:aws:sqs:us-east-1:123456789012:esteira-test-events-dead", maxReceiveCount = 5 }
    error_message = "What nobody understands must end in the dead-letter queue after five tries."
  }

  assert {
    condition = alltrue([
      for target in aws_cloudwatch_event_target.this :
      target.dead_letter_config[0].arn == "arn:aws:sqs:us-east-1:123456789012:esteira-test-events-dead" && target.retry_policy[0].maximum_event_age_in_seconds == 86400
    ])
    error_message = "EventBridge must try for a day and then put it aside."
  }

  assert {
    condition     = aws_sqs_queue.events.message_retention_seconds == 1209600 && aws_sqs_queue.dead.message_retention_seconds == 1209600
    error_message = "Messages are kept for 14 days."
  }
}

run "only_our_rules_send" {
  command = plan

  assert {
    condition     = aws_sqs_queue.events.kms_master_key_id == var.kms_key_arn && aws_sqs_queue.dead.kms_master_key_id == var.kms_key_arn
    error_message = "Both queues must be encrypted with our key."
  }

  assert {
    condition = alltrue([
      for document in data.aws_iam_policy_document.queue : alltrue([
        for said in document.statement : anytrue([for when in said.condition : when.variable == "aws:SourceArn"]) if said.effect != "Deny"
      ])
    ])
    error_message = "Only rules of this environment may send."
  }

  assert {
    condition     = alltrue([for document in data.aws_iam_policy_document.queue : anytrue([for said in document.statement : said.sid == "TlsOnly" && said.effect == "Deny"])])
    error_message = "Plain HTTP must be denied."
  }
}
