mock_provider "aws" {
  source          = "../../mocks"
  override_during = plan
}

variables {
  name              = "esteira-test"
  max_vcpus         = { on-demand = 64, spot = 256 }
  subnet_ids        = ["subnet-a", "subnet-b", "subnet-c"]
  security_group_id = "sg-a"
  logs_key_arn      = "arn:aws:kms:us-east-1:123456789012:key/a"
}

run "spot_and_on_demand_from_nothing" {
  command = plan

  assert {
    condition = {
      for fleet, made in aws_batch_compute_environment.this : fleet => "${made.compute_resources[0].type} ${made.compute_resources[0].allocation_strategy}"
    } == { on-demand = "EC2 BEST_FIT_PROGRESSIVE", spot = "SPOT SPOT_PRICE_CAPACITY_OPTIMIZED" }
    error_message = "There must be a fleet of spot machines and one on demand, each with the strategy that fits it."
  }

  assert {
    condition     = alltrue([for made in aws_batch_compute_environment.this : made.compute_resources[0].min_vcpus == 0 && length(made.compute_resources[0].instance_type) >= 6])
    error_message = "An idle fleet must cost nothing, and have six families to choose from."
  }

  assert {
    condition     = alltrue([for made in aws_batch_compute_environment.this : !made.update_policy[0].terminate_jobs_on_update])
    error_message = "A change must not end what runs."
  }

  assert {
    condition     = output.queue_arns["spot"] == "arn:aws:batch:us-east-1:123456789012:job-queue/esteira-test-spot"
    error_message = "Queues must begin with the prefix that grants and events name."
  }
}

run "nobody_waits_for_ever_and_nobody_takes_all" {
  command = plan

  assert {
    condition = alltrue([
      for queue in aws_batch_job_queue.this : toset([for limit in queue.job_state_time_limit_action : limit.reason]) == toset([
        "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY", "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE", "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT",
      ])
    ])
    error_message = "A job that cannot start must be given up, whatever keeps it."
  }

  assert {
    condition = {
      for fleet, queue in aws_batch_job_queue.this : fleet => [for limit in queue.job_state_time_limit_action : limit.max_time_seconds if startswith(limit.reason, "CAPACITY")][0]
    } == { on-demand = 86400, spot = 900 }
    error_message = "Without spot machines a job must go on on demand after 15 minutes."
  }

  assert {
    condition     = aws_batch_scheduling_policy.fair.fair_share_policy[0].share_decay_seconds == 3600 && output.fair_share
    error_message = "Workspaces must share the queues."
  }
}

run "steps_find_no_credentials" {
  command = plan

  assert {
    condition     = aws_launch_template.machine.metadata_options[0].http_tokens == "required" && aws_launch_template.machine.metadata_options[0].http_put_response_hop_limit == 1
    error_message = "The machine's metadata must want a token, one hop away at most."
  }

  assert {
    condition     = strcontains(base64decode(aws_launch_template.machine.user_data), "-m owner ! --uid-owner 0 -j REJECT")
    error_message = "The machine must refuse its metadata to whoever is not root."
  }

  assert {
    condition     = alltrue([for disk in aws_launch_template.machine.block_device_mappings : disk.ebs[0].encrypted == "true"])
    error_message = "Disks must be encrypted."
  }

  assert {
    condition     = alltrue([for said in data.aws_iam_policy_document.steps.statement : !contains(said.resources, "*") if said.sid != "SignIn"])
    error_message = "Containers are started with images and log of this environment only."
  }
}

run "gpus_are_a_third_fleet" {
  command = plan

  variables {
    gpu_families = ["g5", "g6"]
    max_vcpus    = { on-demand = 64, spot = 256, gpu = 32 }
  }

  assert {
    condition     = aws_batch_compute_environment.this["gpu"].compute_resources[0].ec2_configuration[0].image_type == "ECS_AL2023_NVIDIA"
    error_message = "Machines with GPUs need the image with their driver."
  }
}

run "few_families_are_refused" {
  command = plan

  variables {
    families = ["m7i"]
  }

  expect_failures = [var.families]
}

run "fargate_has_no_machines" {
  command = plan

  variables {
    platform = "FARGATE"
  }

  assert {
    condition     = { for fleet, made in aws_batch_compute_environment.this : fleet => made.compute_resources[0].type } == { on-demand = "FARGATE", spot = "FARGATE_SPOT" }
    error_message = "There must be a fleet of spot places and one on demand."
  }

  assert {
    condition = alltrue([
      for made in aws_batch_compute_environment.this :
      length(made.compute_resources[0].launch_template) == 0 && made.compute_resources[0].instance_role == null && made.compute_resources[0].allocation_strategy == null
    ])
    error_message = "Batch refuses words about machines there."
  }

  assert {
    condition     = alltrue([for made in aws_batch_compute_environment.this : length(made.compute_resources[0].security_group_ids) == 1 && length(made.compute_resources[0].subnets) == 3])
    error_message = "Steps must stay in the private subnets and in their group."
  }

  assert {
    condition     = toset(keys(aws_batch_job_queue.this)) == toset(["on-demand", "spot"]) && output.platform == "FARGATE"
    error_message = "The queues must be the same, and the platform told."
  }
}

run "gpus_on_fargate_are_refused" {
  command = plan

  variables {
    platform     = "FARGATE"
    gpu_families = ["g5"]
  }

  expect_failures = [var.gpu_families]
}
