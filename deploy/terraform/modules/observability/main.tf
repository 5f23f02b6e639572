# What wakes somebody. Every alarm says what to look at, treats silence on purpose (`missing` where a service says nothing
# when all is well, `breaching` where it must speak), and tells both that it is bad and that it is good again.
#
# Batch tells CloudWatch nothing of its queues. Its event *Job Queue Blocked* comes here instead, and the queues' time
# limits give up what waits too long; how long jobs wait is on the platform's own pages.

data "aws_caller_identity" "current" {}

data "aws_region" "current" {}

locals {
  account = data.aws_caller_identity.current.account_id
  region  = data.aws_region.current.region

  topics = { here = local.region, edge = "us-east-1" }
  topic_arns = {
    here = "arn:aws:sns:${local.region}:${local.account}:${var.name}-alarms"
    edge = "arn:aws:sns:us-east-1:${local.account}:${var.name}-alarms-edge"
  }
  speakers = [
    "backup.amazonaws.com", "budgets.amazonaws.com", "cloudwatch.amazonaws.com", "costalerts.amazonaws.com", "events.amazonaws.com", "events.rds.amazonaws.com",
  ]
}

resource "aws_sns_topic" "here" {
  name              = "${var.name}-alarms"
  kms_master_key_id = var.logs_key_arn
}

resource "aws_sns_topic" "edge" {
  provider = aws.edge

  name              = "${var.name}-alarms-edge"
  kms_master_key_id = var.edge.logs_key_arn
}

resource "aws_sns_topic_policy" "here" {
  arn    = aws_sns_topic.here.arn
  policy = data.aws_iam_policy_document.topic["here"].json
}

resource "aws_sns_topic_policy" "edge" {
  provider = aws.edge

  arn    = aws_sns_topic.edge.arn
  policy = data.aws_iam_policy_document.topic["edge"].json
}

data "aws_iam_policy_document" "topic" {
  for_each = local.topic_arns

  statement {
    sid       = "ServicesOfThisAccount"
    actions   = ["sns:Publish"]
    resources = [each.value]

    principals {
      type        = "Service"
      identifiers = local.speakers
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }
}

resource "aws_sns_topic_subscription" "here" {
  for_each = var.mail_to

  topic_arn = aws_sns_topic.here.arn
  protocol  = "email"
  endpoint  = each.value
}

resource "aws_sns_topic_subscription" "edge" {
  for_each = var.mail_to
  provider = aws.edge

  topic_arn = aws_sns_topic.edge.arn
  protocol  = "email"
  endpoint  = each.value
}

# The agent in the cluster would make them itself, unencrypted and without an end.
resource "aws_cloudwatch_log_group" "cluster" {
  for_each = toset(["application", "dataplane", "host", "performance"])

  name              = "/aws/containerinsights/${var.cluster_name}/${each.key}"
  retention_in_days = 365
  kms_key_id        = var.logs_key_arn
}
