output "state_machine_arn" {
  description = "ARN of the machine, for ESTEIRA_STATE_MACHINE."
  value       = local.arn
  depends_on  = [aws_sfn_state_machine.this]
}

output "state_machine_name" {
  description = "Name of the machine."
  value       = var.name
}
