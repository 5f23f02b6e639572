# What the cluster's overlay needs (deploy/k8s), beside the settings, which External Secrets reads by itself.

output "cluster_name" {
  description = "For aws eks update-kubeconfig."
  value       = module.cluster.name
}

output "role_arns" {
  description = "Role of each service account."
  value       = module.workload_roles.role_arns
}

output "target_group_arn" {
  description = "For the TargetGroupBinding."
  value       = module.edge.target_group_arn
}

output "shared_folder" {
  description = "For the volume of logs."
  value       = module.shared_folder.volume_handle
}

output "repository_urls" {
  description = "For the overlay's images and ESTEIRA_BATCH_IMAGE."
  value       = module.registry.repository_urls
}

output "database_secret_arn" {
  description = "Secret that DATABASE_URL is made of."
  value       = module.database.secret_arn
}

output "database_owner_secret_arn" {
  description = "The master's secret, which the migration's DATABASE_URL is made of."
  value       = module.database.owner_secret_arn
}

output "settings" {
  description = "Parameter of each setting."
  value       = module.app_settings.parameters
}

output "secret_arns" {
  description = "Secrets that a person fills once."
  value       = module.app_settings.secret_arns
}
