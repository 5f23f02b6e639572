output "bucket" {
  description = "Name of the bucket."
  value       = local.bucket

  # Who begins to log before the policy is there is refused.
  depends_on = [aws_s3_bucket_policy.this]
}

output "arn" {
  description = "ARN of the bucket."
  value       = local.arn
  depends_on  = [aws_s3_bucket_policy.this]
}
