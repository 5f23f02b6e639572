output "vpc_id" {
  description = "The network."
  value       = aws_vpc.this.id
}

output "cidr" {
  description = "Its addresses."
  value       = var.cidr
}

output "private_subnet_ids" {
  description = "Subnets for machines and the load balancer, one in each zone."
  value       = [for key, subnet in aws_subnet.this : subnet.id if startswith(key, "private-")]
}

output "database_subnet_ids" {
  description = "Subnets without a route to the outside, one in each zone."
  value       = [for key, subnet in aws_subnet.this : subnet.id if startswith(key, "database-")]
}

output "security_group_ids" {
  description = "Groups by who is in them: alb, pods, batch, database, rotation, endpoints."
  value       = { for who, group in aws_security_group.this : who => group.id }
}
