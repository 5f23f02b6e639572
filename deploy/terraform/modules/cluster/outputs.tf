output "name" {
  description = "Name of the cluster."
  value       = aws_eks_cluster.this.name
}

output "arn" {
  description = "ARN of the cluster."
  value       = local.arn
}

output "oidc_provider_arn" {
  description = "The cluster as an identity provider, for IRSA."
  value       = aws_iam_openid_connect_provider.this.arn
}

output "oidc_issuer" {
  description = "Its issuer without https://, which conditions on service accounts begin with."
  value       = replace(aws_eks_cluster.this.identity[0].oidc[0].issuer, "https://", "")
}

output "node_group_names" {
  description = "Names of the groups of machines, by key."
  value       = { for key, group in aws_eks_node_group.this : key => split(":", group.id)[1] }
}
