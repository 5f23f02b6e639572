output "cluster_id" {
  description = "Name of the cluster, for alarms."
  value       = aws_rds_cluster.this.id
}

output "cluster_arn" {
  description = "ARN of the cluster, for backups."
  value       = aws_rds_cluster.this.arn
}

output "endpoint" {
  description = "Host of the writer."
  value       = aws_rds_cluster.this.endpoint
}

output "secret_arn" {
  description = "Secret with which the platform signs in."
  value       = aws_secretsmanager_secret.app.arn
}

output "owner_secret_arn" {
  description = "Secret of the master, who owns the tables: migrations sign in with it, and nothing else. RDS made it."
  value       = aws_rds_cluster.this.master_user_secret[0].secret_arn
}

output "max_connections" {
  description = "How many connections there are, for alarms: by the largest capacity, and 2,000 where it may sleep."
  value       = min(floor(var.capacity.max * 2 * 1024 * 1024 * 1024 / 9531392), var.capacity.min < 1 ? 2000 : 5000)
}
