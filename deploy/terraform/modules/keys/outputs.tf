output "arns" {
  description = "ARN of each key, by what it encrypts: storage, database, secrets, cluster, events, logs."
  value       = { for use, key in aws_kms_key.this : use => key.arn }

  # Who encrypts with a key before its policy is there is refused.
  depends_on = [aws_kms_key_policy.this]
}
