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

output "health_checks" {
  description = "The question from outside, for alarms; empty without it."
  value       = { for key, asked in aws_route53_health_check.this : key => asked.id }
}

output "signed_zones" {
  description = "The zone, for alarms, where it is signed; else empty."
  value       = { for key, zone in aws_route53_hosted_zone_dnssec.this : key => zone.hosted_zone_id }
}

output "zone_ds_record" {
  description = "What the parent zone must say where the zone is signed; else null."
  value       = one([for key in aws_route53_key_signing_key.this : key.ds_record])
}
