output "topic_arn" {
  description = "Topic for everything that somebody must hear."
  value       = local.topic_arns.here
  depends_on  = [aws_sns_topic_policy.here]
}

output "alarm_names" {
  description = "Names of all alarms."
  value       = sort(concat([for alarm in aws_cloudwatch_metric_alarm.this : alarm.alarm_name], [for alarm in aws_cloudwatch_metric_alarm.edge : alarm.alarm_name], [for alarm in aws_cloudwatch_metric_alarm.errors : alarm.alarm_name]))
}
