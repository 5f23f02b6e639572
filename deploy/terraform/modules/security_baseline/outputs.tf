output "audit_bucket" {
  description = "Bucket of trail and configuration."
  value       = aws_s3_bucket.audit.id
}

output "detector_id" {
  description = "GuardDuty's detector."
  value       = aws_guardduty_detector.this.id
}
