# The only way in: Route 53 → CloudFront with its firewall → a load balancer that has no public address → pods.
#
# One distribution serves pages and API, which are one process; `/static/*` is cached at the edge, nothing else is. Files
# never come this way: browsers send them to the buckets by signed URLs.
#
# **Two applies** are needed the first time, see the module network: CloudFront makes its security group with the first
# origin. **The protocol of an origin cannot be changed** in place. **Pods join** by a TargetGroupBinding, so the load
# balancer outlives whatever happens in the cluster.

data "aws_caller_identity" "current" {}

locals {
  account = data.aws_caller_identity.current.account_id
}

resource "aws_lb" "this" {
  # checkov:skip=CKV2_AWS_28:The firewall stands at CloudFront, the only one that reaches this balancer from outside.
  # checkov:skip=CKV2_AWS_76:The same; CloudFront's firewall has the rules against Log4j.
  name                       = var.name
  internal                   = true
  load_balancer_type         = "application"
  security_groups            = [var.security_group_id]
  subnets                    = var.subnet_ids
  drop_invalid_header_fields = true
  desync_mitigation_mode     = "strictest"
  enable_deletion_protection = true
  # Longer than the ping of a WebSocket, or open pages would be cut.
  idle_timeout = 120

  access_logs {
    enabled = true
    bucket  = var.log_bucket
    prefix  = "alb"
  }
}

# trivy:ignore:AVD-AWS-0054 Listened to by HTTPS only; the pods speak HTTP, and only to this balancer's group.
resource "aws_lb_target_group" "web" {
  # checkov:skip=CKV_AWS_378:Pods speak HTTP inside the network, and by their security group to this balancer alone.
  name                 = var.name
  port                 = 8000
  protocol             = "HTTP"
  target_type          = "ip"
  vpc_id               = var.vpc_id
  deregistration_delay = 30

  health_check {
    path                = "/health/ready"
    matcher             = "200"
    interval            = 10
    timeout             = 5
    healthy_threshold   = 2
    unhealthy_threshold = 3
  }
}

resource "aws_lb_listener" "https" {
  load_balancer_arn = aws_lb.this.arn
  port              = 443
  protocol          = "HTTPS"
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-Res-2021-06"
  certificate_arn   = aws_acm_certificate_validation.origin.certificate_arn

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.web.arn
  }
}

resource "aws_cloudfront_vpc_origin" "this" {
  vpc_origin_endpoint_config {
    name                   = var.name
    arn                    = aws_lb.this.arn
    http_port              = 80
    https_port             = 443
    origin_protocol_policy = "https-only"

    origin_ssl_protocols {
      items    = ["TLSv1.2"]
      quantity = 1
    }
  }

  depends_on = [aws_lb_listener.https]
}

# AWS's own policies, by the ids that it gives them in every account.
locals {
  caching_disabled  = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
  caching_optimized = "658327ea-f89d-4fab-a63d-7e88639e58f6"
  all_viewer        = "216adef6-5c7f-47e4-b989-5492eafa07d3"
}

# trivy:ignore:AVD-AWS-0010 Logged by the newer way, see logs.tf.
resource "aws_cloudfront_distribution" "this" {
  # checkov:skip=CKV_AWS_86:Logged by the newer way, see logs.tf.
  # checkov:skip=CKV_AWS_305:The platform answers the bare address itself.
  # checkov:skip=CKV_AWS_310:The load balancer stands in three zones; there is no second origin to fail over to.
  # checkov:skip=CKV_AWS_374:Who may use the platform is said by accounts, not by countries.
  # checkov:skip=CKV2_AWS_47:The firewall has AWS's rules against Log4j; the check does not see it across providers.
  enabled         = true
  comment         = var.name
  aliases         = [var.domain]
  is_ipv6_enabled = true
  http_version    = "http2and3"
  price_class     = "PriceClass_All"
  web_acl_id      = aws_wafv2_web_acl.this.arn

  origin {
    origin_id   = "web"
    domain_name = var.origin_domain

    vpc_origin_config {
      vpc_origin_id            = aws_cloudfront_vpc_origin.this.id
      origin_read_timeout      = 60
      origin_keepalive_timeout = 60
    }
  }

  default_cache_behavior {
    target_origin_id           = "web"
    viewer_protocol_policy     = "redirect-to-https"
    allowed_methods            = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]
    cached_methods             = ["GET", "HEAD"]
    cache_policy_id            = local.caching_disabled
    origin_request_policy_id   = local.all_viewer
    response_headers_policy_id = aws_cloudfront_response_headers_policy.this.id
    compress                   = true
  }

  ordered_cache_behavior {
    path_pattern               = "/static/*"
    target_origin_id           = "web"
    viewer_protocol_policy     = "redirect-to-https"
    allowed_methods            = ["GET", "HEAD"]
    cached_methods             = ["GET", "HEAD"]
    cache_policy_id            = local.caching_optimized
    origin_request_policy_id   = local.all_viewer
    response_headers_policy_id = aws_cloudfront_response_headers_policy.this.id
    compress                   = true
  }

  restrictions {
    geo_restriction {
      restriction_type = "none"
    }
  }

  viewer_certificate {
    acm_certificate_arn      = aws_acm_certificate_validation.viewer.certificate_arn
    minimum_protocol_version = "TLSv1.2_2021"
    ssl_support_method       = "sni-only"
  }
}

# The platform sends its own headers; these stand also before what the edge answers by itself.
resource "aws_cloudfront_response_headers_policy" "this" {
  name = var.name

  security_headers_config {
    strict_transport_security {
      access_control_max_age_sec = 63072000
      include_subdomains         = true
      preload                    = true
      override                   = true
    }

    content_type_options {
      override = true
    }

    frame_options {
      frame_option = "DENY"
      override     = false
    }

    referrer_policy {
      referrer_policy = "same-origin"
      override        = false
    }
  }
}
