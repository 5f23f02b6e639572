output "vault_name" {
  description = "The vault, for alarms."
  value       = var.name
  depends_on  = [aws_backup_vault.here]
}
