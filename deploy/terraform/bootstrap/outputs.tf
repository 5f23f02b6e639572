output "state_bucket" {
  description = "Name for the backend blocks of the environment."
  value       = local.bucket
}

output "ci_role_arns" {
  description = "Roles for the workflows: plan, apply, push, deploy."
  value       = module.ci.role_arns
}
