output "role_arns" {
  description = "ARN of the role of each service account, for its annotation eks.amazonaws.com/role-arn."
  value       = { for account, role in aws_iam_role.this : account => "arn:aws:iam::${local.account}:role/${role.name}" }
}
