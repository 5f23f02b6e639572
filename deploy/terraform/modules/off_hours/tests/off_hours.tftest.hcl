mock_provider "aws" {
  source          = "../../mocks"
  override_during = plan
}

variables {
  name         = "esteira-test"
  cluster_name = "esteira-test"
  kms_key_arn  = "arn:aws:kms:us-east-1:123456789012:key/a"

  node_groups = {
    on-demand = { name = "esteira-test-on-demand-1", night_size = 1, day_size = 2 }
    spot      = { name = "esteira-test-spot-1", night_size = 0, day_size = 1 }
  }
}

run "machines_go_at_night_and_come_back_in_the_morning" {
  command = plan

  assert {
    condition = {
      for key, move in aws_scheduler_schedule.this : key => "${move.schedule_expression} ${jsondecode(move.target[0].input).ScalingConfig.MinSize}"
      } == {
      sleep-on-demand = "cron(0 20 ? * MON-FRI *) 1"
      sleep-spot      = "cron(0 20 ? * MON-FRI *) 0"
      wake-on-demand  = "cron(0 8 ? * MON-FRI *) 2"
      wake-spot       = "cron(0 8 ? * MON-FRI *) 1"
    }
    error_message = "Machines must go at 20:00 and come back at 08:00, Monday to Friday."
  }

  assert {
    condition     = alltrue([for move in aws_scheduler_schedule.this : move.schedule_expression_timezone == "America/Sao_Paulo"])
    error_message = "The hours are those where people work."
  }
}

run "the_schedule_may_change_sizes_and_nothing_else" {
  command = plan

  assert {
    condition     = alltrue([for said in data.aws_iam_policy_document.this.statement : !contains(said.resources, "*")])
    error_message = "It may touch the groups of this cluster only."
  }

  assert {
    condition     = alltrue([for move in aws_scheduler_schedule.this : move.kms_key_arn == var.kms_key_arn])
    error_message = "Schedules must be encrypted with our key."
  }
}
