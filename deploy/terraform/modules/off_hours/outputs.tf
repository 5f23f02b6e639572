output "dead_letter_name" {
  description = "Queue of moves that failed."
  value       = aws_sqs_queue.dead.name
}
