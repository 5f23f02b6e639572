mock_provider "aws" {
  source          = "../../mocks"
  override_during = plan
}

variables {
  name         = "esteira-test"
  logs_key_arn = "arn:aws:kms:us-east-1:123456789012:key/a"
}

run "the_machine_is_the_file_that_the_tests_execute" {
  command = plan

  assert {
    condition     = aws_sfn_state_machine.this.definition == file("../../../../orchestration/engines/step_functions/pipeline.asl.json")
    error_message = "The definition must be deployed as it is."
  }

  assert {
    condition     = aws_sfn_state_machine.this.type == "STANDARD" && aws_sfn_state_machine.this.publish
    error_message = "Only a standard machine waits for Batch, and its versions must be kept."
  }

  assert {
    condition     = output.state_machine_arn == "arn:aws:states:us-east-1:123456789012:stateMachine:esteira-test"
    error_message = "The name must be one that ESTEIRA_STATE_MACHINE and the grants expect."
  }
}

run "its_role_may_do_what_the_tests_saw_and_no_more" {
  command = plan

  assert {
    condition = {
      for said in data.aws_iam_policy_document.grants.statement : one(said.actions) => toset(said.resources)
      } == {
      for action, resources in local.grants : action => toset(resources)
    }
    error_message = "The role's grants must be those of deploy/iam/grants.json."
  }

  assert {
    condition     = contains(local.grants["batch:SubmitJob"], "arn:aws:batch:us-east-1:123456789012:job-queue/esteira-test-*")
    error_message = "It may submit to queues of its environment."
  }

  assert {
    condition     = toset([for when in data.aws_iam_policy_document.trust.statement[0].condition : when.variable]) == toset(["aws:SourceAccount", "aws:SourceArn"])
    error_message = "Only this machine of this account may assume its role."
  }
}

run "errors_are_logged_without_data_of_people" {
  command = plan

  assert {
    condition     = aws_sfn_state_machine.this.logging_configuration[0].level == "ERROR" && !aws_sfn_state_machine.this.logging_configuration[0].include_execution_data
    error_message = "Errors must be logged, and no data of executions."
  }

  assert {
    condition     = aws_cloudwatch_log_group.this.kms_key_id == var.logs_key_arn && aws_cloudwatch_log_group.this.retention_in_days == 365
    error_message = "The log must be encrypted and kept for a year."
  }

  assert {
    condition     = aws_sfn_state_machine.this.tracing_configuration[0].enabled
    error_message = "Executions must be traced."
  }
}
