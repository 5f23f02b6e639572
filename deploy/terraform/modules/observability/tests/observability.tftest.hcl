mock_provider "aws" {
  source          = "../../mocks"
  override_during = plan
}

mock_provider "aws" {
  alias           = "edge"
  source          = "../../mocks"
  override_during = plan
}

variables {
  name         = "esteira-test"
  mail_to      = { on-call = "on-call@example.org" }
  logs_key_arn = "arn:aws:kms:us-east-1:123456789012:key/a"
  cluster_name = "esteira-test"
  edge = {
    load_balancer    = "app/esteira-test/0"
    target_group     = "targetgroup/esteira-test/0"
    distribution     = "E0123456789ABC"
    web_acl          = "esteira-test"
    logs_key_arn     = "arn:aws:kms:us-east-1:123456789012:key/b"
    certificate_arns = { viewer = "arn:aws:acm:us-east-1:123456789012:certificate/a", origin = "arn:aws:acm:us-east-1:123456789012:certificate/b" }
    health_checks    = { on = "00000000-0000-0000-0000-000000000000" }
  }

  database = { id = "esteira-test", max_connections = 5000, vcpus = 16, has_reader = true }

  engine = {
    state_machine_arn = "arn:aws:states:us-east-1:123456789012:stateMachine:esteira-test"
    events_queue      = "esteira-test-events"
    dead_letter_queue = "esteira-test-events-dead"
    event_rules       = ["esteira-test-batch-jobs"]
  }

  backup_vault = "esteira-test"
}

run "what_is_asked_from_outside" {
  command = plan

  assert {
    condition     = try(aws_cloudwatch_metric_alarm.edge["not-reached"].comparison_operator == "LessThanThreshold" && aws_cloudwatch_metric_alarm.edge["not-reached"].treat_missing_data == "breaching", false)
    error_message = "Somebody must hear when nobody gets in, and when nobody asks any more."
  }

  assert {
    condition     = !anytrue([for name in keys(aws_cloudwatch_metric_alarm.edge) : startswith(name, "zone-")])
    error_message = "A zone that is not signed has nothing to watch."
  }
}

run "a_signed_zone_is_watched" {
  command = plan

  variables {
    edge = {
      load_balancer    = "app/esteira-test/0"
      target_group     = "targetgroup/esteira-test/0"
      distribution     = "E0123456789ABC"
      web_acl          = "esteira-test"
      logs_key_arn     = "arn:aws:kms:us-east-1:123456789012:key/b"
      certificate_arns = { viewer = "arn:aws:acm:us-east-1:123456789012:certificate/a", origin = "arn:aws:acm:us-east-1:123456789012:certificate/b" }
      signed_zones     = { on = "Z0123456789ABCDEFGHIJ" }
    }
  }

  assert {
    condition     = length([for name in keys(aws_cloudwatch_metric_alarm.edge) : name if startswith(name, "zone-")]) == 2
    error_message = "A zone that can no longer be signed disappears for whoever checks."
  }
}

run "everything_that_the_owner_names_has_its_alarm" {
  command = plan

  assert {
    condition = alltrue([
      for wanted in [
        "5xx-alb", "5xx-pods", "alb-latency-p95", "pods-cpu", "pods-memory", "database-connections", "executions-failed", "events-late", "events-not-understood",
        "database-capacity", "database-replica-behind", "cloudfront-5xx", "waf-blocks", "backups-failed", "certificate-viewer", "certificate-origin",
      ] : contains(output.alarm_names, "esteira-test-${wanted}")
    ])
    error_message = "An alarm is missing."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["database-connections"].threshold == 4000
    error_message = "Somebody must hear at four fifths of the connections."
  }

  assert {
    condition     = strcontains(aws_cloudwatch_event_rule.notice["batch-blocked"].event_pattern, "Batch Job Queue Blocked")
    error_message = "A blocked queue must be told: Batch has no numbers of it."
  }
}

run "every_alarm_is_heard_twice_bad_and_good_again" {
  command = plan

  assert {
    condition = alltrue([
      for alarm in concat(values(aws_cloudwatch_metric_alarm.this), values(aws_cloudwatch_metric_alarm.edge), values(aws_cloudwatch_metric_alarm.errors)) :
      length(alarm.alarm_actions) == 1 && length(alarm.ok_actions) == 1 && alarm.treat_missing_data == (endswith(alarm.alarm_name, "-not-reached") ? "breaching" : "notBreaching") && strcontains(alarm.alarm_description, "docs/runbooks.md#")
    ])
    error_message = "Each alarm must tell bad and good, say what silence means, and name its runbook."
  }

  assert {
    condition     = aws_sns_topic.here.kms_master_key_id == var.logs_key_arn && aws_sns_topic.edge.kms_master_key_id == var.edge.logs_key_arn
    error_message = "What is told must be encrypted."
  }
}

run "what_an_auditor_asks_about_is_told_at_once" {
  command = plan

  assert {
    condition     = length(setsubtract(["guardduty", "malware", "root-signs-in", "trail-changed", "key-going", "rotation-failed"], keys(aws_cloudwatch_event_rule.notice))) == 0
    error_message = "A notice is missing."
  }

  assert {
    condition     = contains(aws_db_event_subscription.database.event_categories, "failover")
    error_message = "A failover of the database must be told."
  }

  assert {
    condition     = alltrue([for group in aws_cloudwatch_log_group.cluster : group.retention_in_days == 365 && group.kms_key_id == var.logs_key_arn])
    error_message = "Logs of pods must be encrypted and kept for a year."
  }
}

run "nobody_to_tell_is_refused" {
  command = plan

  variables {
    mail_to = {}
  }

  expect_failures = [var.mail_to]
}

run "no_alarm_rings_on_purpose_unless_it_is_said_when" {
  command = plan

  assert {
    condition     = length(aws_scheduler_schedule.here) == 0 && length(aws_scheduler_schedule.edge) == 0 && length(aws_iam_role.drill) == 0
    error_message = "Nobody asked for a drill."
  }
}

run "the_drill_rings_every_alarm_once_and_says_that_it_is_one" {
  command = plan

  variables {
    drill_at = "cron(0 14 ? JAN,APR,JUL,OCT TUE#1 *)"
  }

  assert {
    condition = sort([
      for one in concat(values(aws_scheduler_schedule.here), values(aws_scheduler_schedule.edge)) : jsondecode(one.target[0].input).AlarmName
    ]) == output.alarm_names
    error_message = "An alarm is not drilled, or is drilled twice."
  }

  assert {
    condition = alltrue([
      for one in concat(values(aws_scheduler_schedule.here), values(aws_scheduler_schedule.edge)) :
      jsondecode(one.target[0].input).StateValue == "ALARM" && startswith(jsondecode(one.target[0].input).StateReason, "Drill: nothing is wrong.")
      && one.target[0].arn == "arn:aws:scheduler:::aws-sdk:cloudwatch:setAlarmState" && one.schedule_expression == var.drill_at
    ])
    error_message = "Whoever is reached must be told that it is a drill."
  }

  assert {
    condition     = keys(aws_scheduler_schedule.edge) == keys(aws_cloudwatch_metric_alarm.edge)
    error_message = "A schedule speaks to its own region: alarms of the edge are set from there."
  }

  assert {
    condition     = alltrue([for said in data.aws_iam_policy_document.drill.statement : !contains(said.resources, "*")]) && one([for said in data.aws_iam_policy_document.drill.statement : said.resources if contains(said.actions, "cloudwatch:SetAlarmState")]) == toset(["arn:aws:cloudwatch:us-east-1:123456789012:alarm:esteira-test-*"])
    error_message = "It may set alarms of this environment and no others."
  }

  assert {
    condition     = alltrue([for one in concat(values(aws_scheduler_schedule.here), values(aws_scheduler_schedule.edge)) : one.kms_key_arn != null])
    error_message = "Schedules must be encrypted with our key."
  }
}

run "production_is_never_rung_by_a_clock" {
  command = plan

  variables {
    name     = "esteira-prod"
    drill_at = "cron(0 14 ? JAN,APR,JUL,OCT TUE#1 *)"
  }

  expect_failures = [var.drill_at]
}
