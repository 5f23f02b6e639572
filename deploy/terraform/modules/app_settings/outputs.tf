output "parameters" {
  description = "Name of the parameter of each setting."
  value       = { for name, made in aws_ssm_parameter.this : name => made.name }
}

output "secret_arns" {
  description = "ARN of each secret."
  value       = { for name, made in aws_secretsmanager_secret.this : name => made.arn }
}
