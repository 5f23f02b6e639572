output "role_arns" {
  description = "ARN of the role for each kind of run: plan, apply, push, deploy."
  value       = { for kind, role in aws_iam_role.this : kind => role.arn }
}
