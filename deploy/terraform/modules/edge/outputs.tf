output "target_group_arn" {
  description = "Where pods are joined to, for the TargetGroupBinding."
  value       = aws_lb_target_group.web.arn
}

output "load_balancer_suffix" {
  description = "The load balancer as alarms name it."
  value       = aws_lb.this.arn_suffix
}

output "target_group_suffix" {
  description = "The target group as alarms name it."
  value       = aws_lb_target_group.web.arn_suffix
}

output "distribution_id" {
  description = "The distribution, for alarms."
  value       = aws_cloudfront_distribution.this.id
}

output "web_acl_name" {
  description = "The firewall, for alarms."
  value       = aws_wafv2_web_acl.this.name
}

output "certificate_arns" {
  description = "Certificates, for alarms: viewer (us-east-1) and origin."
  value       = { viewer = aws_acm_certificate.viewer.arn, origin = aws_acm_certificate.origin.arn }
}

output "public_url" {
  description = "Address that people see, for ESTEIRA_PUBLIC_URL."
  value       = "https://${var.domain}"
}

output "runner_url" {
  description = "Address at which steps reach the platform, for ESTEIRA_RUNNER_URL."
  value       = "https://${var.origin_domain}"
}

output "allowed_hosts" {
  description = "Names that the platform must answer to, for ESTEIRA_ALLOWED_HOSTS."
  value       = "${var.domain},${var.origin_domain}"
}
