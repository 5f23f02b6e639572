# What is told as it happens, because no number grows while it does.

locals {
  notices = {
    batch-blocked = {
      source      = ["aws.batch"]
      detail-type = ["Batch Job Queue Blocked"]
      detail      = { jobQueue = [{ prefix = "arn:aws:batch:${local.region}:${local.account}:job-queue/${var.name}-" }] }
    }
    guardduty = {
      source      = ["aws.guardduty"]
      detail-type = ["GuardDuty Finding"]
      detail      = { severity = [{ numeric = [">=", 7] }] }
    }
    malware = {
      source      = ["aws.guardduty"]
      detail-type = ["GuardDuty Malware Protection Object Scan Result"]
      detail      = { scanResultDetails = { scanResultStatus = ["THREATS_FOUND"] } }
    }
    root-signs-in = {
      detail-type = ["AWS Console Sign In via CloudTrail"]
      detail      = { userIdentity = { type = ["Root"] } }
    }
    trail-changed = {
      source      = ["aws.cloudtrail"]
      detail-type = ["AWS API Call via CloudTrail"]
      detail      = { eventName = ["DeleteTrail", "StopLogging", "UpdateTrail", "PutEventSelectors"] }
    }
    key-going = {
      source      = ["aws.kms"]
      detail-type = ["AWS API Call via CloudTrail"]
      detail      = { eventName = ["DisableKey", "ScheduleKeyDeletion"] }
    }
    rotation-failed = {
      source      = ["aws.secretsmanager"]
      detail-type = ["AWS Service Event via CloudTrail"]
      detail      = { eventName = ["RotationFailed"] }
    }
  }
}

resource "aws_cloudwatch_event_rule" "notice" {
  for_each = local.notices

  name          = "${var.name}-notice-${each.key}"
  event_pattern = jsonencode(each.value)
}

resource "aws_cloudwatch_event_target" "notice" {
  for_each = aws_cloudwatch_event_rule.notice

  rule      = each.value.name
  target_id = "alarms"
  arn       = local.topic_arns.here
}

resource "aws_db_event_subscription" "database" {
  name             = "${var.name}-database"
  sns_topic        = aws_sns_topic.here.arn
  source_type      = "db-cluster"
  source_ids       = [var.database.id]
  event_categories = ["failover", "failure", "maintenance", "notification"]
}
