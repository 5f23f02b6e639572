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

run "dns_to_cloudfront_to_a_load_balancer_without_public_address" {
  command = plan

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
}

run "tls_from_end_to_end" {
  command = plan

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
}

run "the_firewall_stands_before_everything" {
  command = plan

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
}

run "only_static_files_are_cached" {
  command = plan

  assert {
    condition     = aws_cloudfront_distribution.this.default_cache_behavior[0].cache_policy_id == "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
    error_message = "What is one person's must not be kept for another."
  }

  assert {
    condition     = [for other in aws_cloudfront_distribution.this.ordered_cache_behavior : other.path_pattern] == ["/static/*"]
    error_message = "Static files, and nothing else, are cached."
  }
}

run "broken_requests_end_at_the_load_balancer" {
  command = plan

  assert {
    condition     = aws_lb.this.drop_invalid_header_fields && aws_lb.this.desync_mitigation_mode == "strictest"
    error_message = "What could be read in two ways must be refused."
  }

  assert {
    condition     = aws_lb.this.access_logs[0].enabled && aws_lb_target_group.web.health_check[0].path == "/health/ready"
    error_message = "Its log must be written, and pods that are not ready left out."
  }
}
