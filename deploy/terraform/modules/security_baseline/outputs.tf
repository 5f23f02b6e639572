output "audit_bucket" {
  description = "Bucket of trail and configuration."
  value       = local.bucket
}

output "detector_id" {
  description = "GuardDuty's detector."
  value       = aws_guardduty_detector.this.id
}
