variable "name" {
  description = "Begins the names of everything, such as esteira-prod."
  type        = string
}

variable "cidr" {
  description = "Addresses of the network: a /16 that no other network of yours uses."
  type        = string

  validation {
    condition     = can(cidrhost(var.cidr, 0)) && endswith(var.cidr, "/16")
    error_message = "cidr must be a /16, such as 10.20.0.0/16: pods need addresses of their own."
  }
}

variable "nat_per_zone" {
  description = "A NAT gateway in each zone, so that a zone that fails takes no other with it; else one for all."
  type        = bool
}

variable "private_endpoints" {
  description = "Whether AWS's services are reached without the internet, and Batch's machines reach nothing else."
  type        = bool
}

variable "log_bucket_arn" {
  description = "Bucket for flow logs."
  type        = string
}

variable "cloudfront_security_group_id" {
  description = "Group of CloudFront's VPC origins, once it is there; null before the first apply."
  type        = string
  default     = null
}
