mock_provider "aws" {
  source          = "../../mocks"
  override_during = plan
}

variables {
  name        = "esteira-test"
  environment = "test"
  usd_a_month = 1000
  mail_to     = { money = "money@example.org" }
}

run "somebody_hears_before_and_when_it_is_spent" {
  command = plan

  assert {
    condition = {
      for said in aws_budgets_budget.month.notification : "${said.notification_type} ${said.threshold}" => length(said.subscriber_email_addresses)
    } == { "ACTUAL 80" = 1, "ACTUAL 100" = 1, "FORECASTED 110" = 1 }
    error_message = "Somebody must hear at 80 and 100 %, and when the month is heading beyond 110 %."
  }

  assert {
    condition     = anytrue([for filter in aws_budgets_budget.month.cost_filter : contains(filter.values, "user:environment$test")])
    error_message = "The budget must be this environment's."
  }
}

run "what_never_cost_so_much_is_told" {
  command = plan

  assert {
    condition     = aws_ce_anomaly_subscription.mail.frequency == "DAILY" && one(aws_ce_anomaly_subscription.mail.subscriber).address == "money@example.org"
    error_message = "Anomalies must be told each day."
  }
}

run "nothing_is_no_budget" {
  command = plan

  variables {
    usd_a_month = 0
  }

  expect_failures = [var.usd_a_month]
}
