# Who hears that money runs away: at 80 and 100 % of the month's budget, when the month is heading beyond it, and when a
# service costs what it never did. `deploy/cost` says what to expect; a test holds the budgets to it.

resource "aws_budgets_budget" "month" {
  name         = var.name
  budget_type  = "COST"
  limit_amount = tostring(var.usd_a_month)
  limit_unit   = "USD"
  time_unit    = "MONTHLY"

  cost_filter {
    name   = "TagKeyValue"
    values = [format("user:environment$%s", var.environment)]
  }

  dynamic "notification" {
    for_each = { "80" = "ACTUAL", "100" = "ACTUAL", "110" = "FORECASTED" }

    content {
      comparison_operator        = "GREATER_THAN"
      threshold                  = tonumber(notification.key)
      threshold_type             = "PERCENTAGE"
      notification_type          = notification.value
      subscriber_email_addresses = values(var.mail_to)
    }
  }
}

# The tags by which the bill is split have to be switched on once.
resource "aws_ce_cost_allocation_tag" "this" {
  for_each = toset(["environment", "project"])

  tag_key = each.key
  status  = "Active"
}

resource "aws_ce_anomaly_monitor" "services" {
  name              = "${var.name}-services"
  monitor_type      = "DIMENSIONAL"
  monitor_dimension = "SERVICE"
}

resource "aws_ce_anomaly_subscription" "mail" {
  name             = "${var.name}-anomalies"
  frequency        = "DAILY"
  monitor_arn_list = [aws_ce_anomaly_monitor.services.arn]

  dynamic "subscriber" {
    for_each = var.mail_to

    content {
      type    = "EMAIL"
      address = subscriber.value
    }
  }

  threshold_expression {
    dimension {
      key           = "ANOMALY_TOTAL_IMPACT_ABSOLUTE"
      match_options = ["GREATER_THAN_OR_EQUAL"]
      values        = [tostring(ceil(var.usd_a_month / 20))]
    }
  }
}
