output "usd_a_month" {
  description = "The month's budget."
  value       = var.usd_a_month
}
