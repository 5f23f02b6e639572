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
  name              = "esteira-test"
  domain            = "esteira.example.org"
  origin_domain     = "origin.esteira.example.org"
  zone_id           = "Z0123456789ABCDEFGHIJ"
  vpc_id            = "vpc-a"
  subnet_ids        = ["subnet-a", "subnet-b", "subnet-c"]
  security_group_id = "sg-a"
  log_bucket        = "esteira-test-logs"
  edge_logs_key_arn = "arn:aws:kms:us-east-1:123456789012:key/a"
}

# One plan for all of them: the firewall's makes it a slow one.
run "the_way_in" {
  command = plan

  # DNS to CloudFront to a load balancer without public address.
  assert {
    condition     = aws_lb.this.internal && aws_lb.this.enable_deletion_protection
    error_message = "The load balancer must have no public address."
  }

  assert {
    condition     = length(aws_lb.this.subnets) == 3
    error_message = "It must stand in three zones."
  }

  assert {
    condition     = toset(aws_cloudfront_distribution.this.aliases) == toset(["esteira.example.org"]) && toset(keys(aws_route53_record.viewer)) == toset(["A", "AAAA"])
    error_message = "The name must lead to CloudFront, by IPv4 and IPv6."
  }

  assert {
    condition     = alltrue([for one in aws_cloudfront_vpc_origin.this.vpc_origin_endpoint_config : one.origin_protocol_policy == "https-only"])
    error_message = "CloudFront must reach the load balancer inside the network, by HTTPS."
  }

  assert {
    condition     = output.allowed_hosts == "esteira.example.org,origin.esteira.example.org" && output.runner_url == "https://origin.esteira.example.org"
    error_message = "The platform must answer to both names."
  }

  # TLS from end to end.
  assert {
    condition     = aws_cloudfront_distribution.this.viewer_certificate[0].minimum_protocol_version == "TLSv1.2_2021"
    error_message = "Browsers must speak TLS 1.2 or newer."
  }

  assert {
    condition     = aws_cloudfront_distribution.this.default_cache_behavior[0].viewer_protocol_policy == "redirect-to-https"
    error_message = "Plain HTTP must lead to HTTPS."
  }

  assert {
    condition     = aws_lb_listener.https.ssl_policy == "ELBSecurityPolicy-TLS13-1-2-Res-2021-06" && aws_lb_listener.https.protocol == "HTTPS"
    error_message = "The load balancer must speak TLS 1.2 or newer."
  }

  assert {
    condition     = aws_cloudfront_response_headers_policy.this.security_headers_config[0].strict_transport_security[0].access_control_max_age_sec == 63072000
    error_message = "Browsers must remember to come by HTTPS."
  }

  # The firewall stands before everything.
  assert {
    condition     = aws_cloudfront_distribution.this.web_acl_id == aws_wafv2_web_acl.this.arn && aws_wafv2_web_acl.this.scope == "CLOUDFRONT"
    error_message = "CloudFront must ask the firewall."
  }

  assert {
    condition = alltrue([
      for wanted in ["sign-in-by-address", "all-by-address", "ip-reputation", "known-bad-inputs", "common", "sql", "long-bodies-to-pages"] :
      contains([for rule in aws_wafv2_web_acl.this.rule : rule.name], wanted)
    ])
    error_message = "A rule of the firewall is missing."
  }

  assert {
    condition     = toset([for field in aws_wafv2_web_acl_logging_configuration.this.redacted_fields : field.single_header[0].name]) == toset(["authorization", "cookie"])
    error_message = "Tokens and cookies must not be in its log."
  }

  assert {
    condition     = aws_cloudwatch_log_group.waf.kms_key_id == var.edge_logs_key_arn && aws_cloudwatch_log_group.waf.retention_in_days == 365
    error_message = "Its log must be encrypted and kept for a year."
  }

  # Only static files are cached.
  assert {
    condition     = aws_cloudfront_distribution.this.default_cache_behavior[0].cache_policy_id == "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
    error_message = "What is one person's must not be kept for another."
  }

  assert {
    condition     = [for other in aws_cloudfront_distribution.this.ordered_cache_behavior : other.path_pattern] == ["/static/*"]
    error_message = "Static files, and nothing else, are cached."
  }

  # Broken requests end at the load balancer.
  assert {
    condition     = aws_lb.this.drop_invalid_header_fields && aws_lb.this.desync_mitigation_mode == "strictest"
    error_message = "What could be read in two ways must be refused."
  }

  assert {
    condition     = aws_lb.this.access_logs[0].enabled && aws_lb_target_group.web.health_check[0].path == "/health/ready"
    error_message = "Its log must be written, and pods that are not ready left out."
  }

  # Somebody asks from outside.
  assert {
    condition     = alltrue([for asked in aws_route53_health_check.this : asked.fqdn == var.domain && asked.type == "HTTPS" && asked.resource_path == "/health/ready" && length(asked.regions) == 3])
    error_message = "Route 53 must ask by the name that people use, from three continents, whether a pod is ready."
  }

  assert {
    condition     = length(aws_route53_health_check.this) == 1 && length(output.health_checks) == 1
    error_message = "The alarm must know which question it is."
  }

  assert {
    condition     = length(aws_kms_key.zone) == 0 && length(aws_route53_hosted_zone_dnssec.this) == 0 && output.signed_zones == {}
    error_message = "A zone must not be signed unasked: without a record in its parent that is of no use."
  }
}

run "the_zone_is_signed_by_a_key_of_ours" {
  command = plan

  variables {
    sign_zone    = true
    health_check = false
  }

  assert {
    condition     = aws_kms_key.zone["on"].customer_master_key_spec == "ECC_NIST_P256" && aws_kms_key.zone["on"].key_usage == "SIGN_VERIFY" && aws_kms_key.zone["on"].deletion_window_in_days == 30
    error_message = "Route 53 takes this kind of key only, and it must not go at once."
  }

  assert {
    condition     = aws_route53_hosted_zone_dnssec.this["on"].signing_status == "SIGNING" && aws_route53_key_signing_key.this["on"].status == "ACTIVE"
    error_message = "The zone must be signed."
  }

  assert {
    condition = alltrue([
      for said in data.aws_iam_policy_document.zone_key.statement : anytrue([for only in said.condition : only.variable == "aws:SourceAccount"]) if said.sid != "AccountDelegatesToIam"
    ]) && anytrue([for said in data.aws_iam_policy_document.zone_key.statement : anytrue([for only in said.condition : only.variable == "aws:SourceArn"])])
    error_message = "Route 53 may sign with the key for our zone only."
  }

  assert {
    condition     = length(aws_route53_health_check.this) == 0 && output.health_checks == {}
    error_message = "An environment that sleeps must not be asked."
  }
}
