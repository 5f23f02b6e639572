# The alarm drill (docs/alarm-drill.md): four times a year each alarm of CloudWatch is set to ALARM once, on purpose, with a
# reason that says so. It takes the way of a real one, and goes back to the truth with its next look. What does not arrive is
# what the drill is there to find, so nothing puts failures aside.

locals {
  drilled = {
    for place, alarms in {
      here = concat(values(aws_cloudwatch_metric_alarm.this), values(aws_cloudwatch_metric_alarm.errors))
      edge = values(aws_cloudwatch_metric_alarm.edge)
    } : place => { for alarm in alarms : trimprefix(alarm.alarm_name, "${var.name}-") => alarm.alarm_name if var.drill_at != null }
  }
  drill_groups = var.drill_at == null ? {} : { drill = "${var.name}-drill" }
  drill_says   = "Drill: nothing is wrong. Write down when you were reached."
  drill_sets   = "arn:aws:scheduler:::aws-sdk:cloudwatch:setAlarmState"
}

resource "aws_scheduler_schedule_group" "here" {
  for_each = local.drill_groups

  name = each.value
}

resource "aws_scheduler_schedule_group" "edge" {
  for_each = local.drill_groups
  provider = aws.edge

  name = "${each.value}-edge"
}

resource "aws_scheduler_schedule" "here" {
  for_each = local.drilled.here

  name                         = each.key
  group_name                   = aws_scheduler_schedule_group.here["drill"].name
  schedule_expression          = var.drill_at
  schedule_expression_timezone = var.timezone
  kms_key_arn                  = var.logs_key_arn

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = local.drill_sets
    role_arn = aws_iam_role.drill["drill"].arn
    input    = jsonencode({ AlarmName = each.value, StateValue = "ALARM", StateReason = local.drill_says })
  }
}

# A schedule speaks to its own region, and CloudFront's alarms are in this one.
resource "aws_scheduler_schedule" "edge" {
  for_each = local.drilled.edge
  provider = aws.edge

  name                         = each.key
  group_name                   = aws_scheduler_schedule_group.edge["drill"].name
  schedule_expression          = var.drill_at
  schedule_expression_timezone = var.timezone
  kms_key_arn                  = var.edge.logs_key_arn

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = local.drill_sets
    role_arn = aws_iam_role.drill["drill"].arn
    input    = jsonencode({ AlarmName = each.value, StateValue = "ALARM", StateReason = local.drill_says })
  }
}

resource "aws_iam_role" "drill" {
  for_each = local.drill_groups

  name               = each.value
  assume_role_policy = data.aws_iam_policy_document.drill_trust.json
}

data "aws_iam_policy_document" "drill_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["scheduler.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }
}

resource "aws_iam_role_policy" "drill" {
  for_each = aws_iam_role.drill

  name   = "rings"
  role   = each.value.id
  policy = data.aws_iam_policy_document.drill.json
}

data "aws_iam_policy_document" "drill" {
  statement {
    sid       = "OurAlarms"
    actions   = ["cloudwatch:SetAlarmState"]
    resources = [for region in distinct(values(local.topics)) : "arn:aws:cloudwatch:${region}:${local.account}:alarm:${var.name}-*"]
  }

  statement {
    sid       = "Keys"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = distinct([var.logs_key_arn, var.edge.logs_key_arn])
  }
}
