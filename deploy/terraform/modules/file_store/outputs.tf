output "bucket" {
  description = "Name of the bucket."
  value       = var.bucket
  depends_on  = [aws_s3_bucket_policy.this]
}

output "arn" {
  description = "ARN of the bucket."
  value       = local.arn
  depends_on  = [aws_s3_bucket_versioning.this]
}
