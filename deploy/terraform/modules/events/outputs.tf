output "queue_url" {
  description = "Address of the queue, for ESTEIRA_EVENTS_QUEUE."
  value       = "https://sqs.${local.region}.amazonaws.com/${local.account}/${aws_sqs_queue.events.name}"
}

output "queue_name" {
  description = "Name of the queue."
  value       = aws_sqs_queue.events.name
}

output "dead_letter_name" {
  description = "Name of the queue for what nobody understood."
  value       = aws_sqs_queue.dead.name
}

output "rule_names" {
  description = "Names of the rules, for alarms."
  value       = [for rule in aws_cloudwatch_event_rule.this : rule.name]
}
