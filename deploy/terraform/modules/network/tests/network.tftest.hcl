mock_provider "aws" {
  source          = "../../mocks"
  override_during = plan
}

variables {
  name              = "esteira-test"
  cidr              = "10.20.0.0/16"
  nat_per_zone      = true
  private_endpoints = true
  log_bucket_arn    = "arn:aws:s3:::esteira-test-logs"
}

run "three_zones_of_three_kinds" {
  command = plan

  assert {
    condition     = length(aws_subnet.this) == 9 && length(distinct([for subnet in aws_subnet.this : subnet.availability_zone])) == 3
    error_message = "There must be three kinds of subnets in three zones."
  }

  assert {
    condition     = length(distinct([for subnet in aws_subnet.this : subnet.cidr_block])) == 9
    error_message = "Subnets must not overlap."
  }

  assert {
    condition     = alltrue([for subnet in aws_subnet.this : !subnet.map_public_ip_on_launch])
    error_message = "Nothing gets a public address by itself."
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 3
    error_message = "A zone that fails must not take the others' way out with it."
  }
}

run "nothing_is_open_by_default" {
  command = plan

  assert {
    condition     = length(aws_default_security_group.this.ingress) == 0 && length(aws_default_security_group.this.egress) == 0
    error_message = "The default group must let nothing in."
  }

  assert {
    condition     = aws_flow_log.this.traffic_type == "ALL" && aws_flow_log.this.max_aggregation_interval == 60
    error_message = "All traffic must be logged, by the minute."
  }
}

run "cloudfront_to_load_balancer_to_pods_to_database" {
  command = plan

  assert {
    condition     = aws_vpc_security_group_ingress_rule.alb_from_cloudfront.prefix_list_id == "pl-0123456789abcdef0"
    error_message = "From outside only CloudFront reaches the load balancer."
  }

  assert {
    condition     = local.ingress["pods from alb"] == { on = "pods", from = "alb", port = 8000 } && local.ingress["database from pods"] == { on = "database", from = "pods", port = 5432 }
    error_message = "The load balancer reaches pods, and pods the database."
  }

  assert {
    condition     = alltrue([for rule in values(aws_vpc_security_group_ingress_rule.this) : rule.cidr_ipv4 == null && rule.referenced_security_group_id != null])
    error_message = "What comes in is named by its group, never by an address."
  }

  assert {
    condition     = sort([for said in local.ingress : said.from if said.on == "database"]) == tolist(["pods", "rotation"])
    error_message = "Only pods and the function that rotates its password reach the database."
  }

  assert {
    condition     = length([for said in local.ingress : said if said.on == "batch"]) == 0
    error_message = "Nothing reaches the machines of steps."
  }
}

run "steps_reach_no_internet_where_there_are_endpoints" {
  command = plan

  assert {
    condition     = length([for said in local.world : said if said.on == "batch"]) == 0
    error_message = "With endpoints, the machines of steps must have no way to the internet."
  }

  assert {
    condition     = length(aws_vpc_endpoint.interface) == 13 && aws_vpc_endpoint.s3.vpc_endpoint_type == "Gateway"
    error_message = "The registry, logs, keys, queues and buckets must be reached from inside."
  }

  assert {
    condition = anytrue([
      for said in data.aws_iam_policy_document.s3_endpoint.statement :
      anytrue([for when in said.condition : when.variable == "aws:PrincipalAccount" && contains(when.values, "123456789012")])
    ])
    error_message = "By the gateway only people of this account reach buckets."
  }
}

run "staging_does_with_one_nat_and_no_endpoints" {
  command = plan

  variables {
    nat_per_zone      = false
    private_endpoints = false
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 1 && length(aws_vpc_endpoint.interface) == 0 && length(aws_route.private) == 3
    error_message = "One NAT must do for all three zones."
  }
}

run "after_the_first_apply_only_cloudfronts_own_group_gets_in" {
  command = plan

  variables {
    cloudfront_security_group_id = "sg-0123456789abcdef0"
  }

  assert {
    condition     = aws_vpc_security_group_ingress_rule.alb_from_cloudfront.prefix_list_id == null
    error_message = "Once the group is known the prefix list must go."
  }
}

run "small_networks_are_refused" {
  command = plan

  variables {
    cidr = "10.20.0.0/20"
  }

  expect_failures = [var.cidr]
}

run "from_outside_come_answers_only" {
  command = plan

  assert {
    condition     = alltrue([for rule in aws_default_network_acl.this.ingress : rule.from_port == 1024 && rule.protocol != "-1" if rule.cidr_block != var.cidr])
    error_message = "Nothing from outside may reach a port below those that answers come to."
  }
}
