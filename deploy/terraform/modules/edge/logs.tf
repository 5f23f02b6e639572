# Who came, and what was turned away, without what would let a reader sign in as somebody else.

resource "aws_cloudwatch_log_group" "waf" {
  provider = aws.edge

  # WAF takes no other beginning.
  name              = "aws-waf-logs-${var.name}"
  retention_in_days = 365
  kms_key_id        = var.edge_logs_key_arn
}

resource "aws_wafv2_web_acl_logging_configuration" "this" {
  provider = aws.edge

  resource_arn            = aws_wafv2_web_acl.this.arn
  log_destination_configs = [aws_cloudwatch_log_group.waf.arn]

  redacted_fields {
    single_header {
      name = "authorization"
    }
  }

  redacted_fields {
    single_header {
      name = "cookie"
    }
  }
}

resource "aws_cloudwatch_log_group" "cloudfront" {
  provider = aws.edge

  name              = "/aws/vendedlogs/cloudfront/${var.name}"
  retention_in_days = 365
  kms_key_id        = var.edge_logs_key_arn
}

resource "aws_cloudwatch_log_delivery_source" "cloudfront" {
  provider = aws.edge

  name         = var.name
  log_type     = "ACCESS_LOGS"
  resource_arn = aws_cloudfront_distribution.this.arn
}

resource "aws_cloudwatch_log_delivery_destination" "cloudfront" {
  provider = aws.edge

  name          = var.name
  output_format = "json"

  delivery_destination_configuration {
    destination_resource_arn = aws_cloudwatch_log_group.cloudfront.arn
  }
}

resource "aws_cloudwatch_log_delivery" "cloudfront" {
  provider = aws.edge

  delivery_source_name     = aws_cloudwatch_log_delivery_source.cloudfront.name
  delivery_destination_arn = aws_cloudwatch_log_delivery_destination.cloudfront.arn
}
