output "repository_urls" {
  description = "Address of each repository, for the overlay's images."
  value       = { for name, made in aws_ecr_repository.this : name => made.repository_url }
}
