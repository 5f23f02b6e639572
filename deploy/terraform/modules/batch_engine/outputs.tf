output "queue_arns" {
  description = "ARN of each queue: on-demand, spot, and gpu where there is one."
  value       = { for fleet, queue in aws_batch_job_queue.this : fleet => "arn:aws:batch:${local.region}:${local.account}:job-queue/${queue.name}" }
}

output "log_group" {
  description = "Log group of the runners, for ESTEIRA_BATCH_LOG_GROUP."
  value       = aws_cloudwatch_log_group.runners.name
}

output "execution_role_arn" {
  description = "Role by which containers are started, for ESTEIRA_BATCH_EXECUTION_ROLE."
  value       = "arn:aws:iam::${local.account}:role/${aws_iam_role.steps.name}"
}

output "platform" {
  description = "What containers start on, for ESTEIRA_BATCH_PLATFORM."
  value       = var.platform
}

output "fair_share" {
  description = "Whether a share must be named with each job, for ESTEIRA_BATCH_FAIR_SHARE."
  value       = var.fair_share
}
