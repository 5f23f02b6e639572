variable "name" {
  description = "Begins the names of everything, such as esteira-prod."
  type        = string
}

variable "domain" {
  description = "Name that people see, such as esteira.example.org."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9.-]+\\.[a-z]{2,}$", var.domain))
    error_message = "domain must be a name of DNS, without https://."
  }
}

variable "origin_domain" {
  description = "Name by which CloudFront and steps reach the load balancer, such as origin.esteira.example.org."
  type        = string
}

variable "zone_id" {
  description = "Hosted zone of both names."
  type        = string
}

variable "vpc_id" {
  description = "The network."
  type        = string
}

variable "subnet_ids" {
  description = "Subnets of the load balancer, in three zones."
  type        = list(string)
}

variable "security_group_id" {
  description = "Group of the load balancer."
  type        = string
}

variable "log_bucket" {
  description = "Bucket for the load balancer's log."
  type        = string
}

variable "edge_logs_key_arn" {
  description = "Key in us-east-1 of the logs there."
  type        = string
}

variable "requests_by_address" {
  description = "Requests in five minutes from one address before the rest gets 429. One token alone may send 30,000."
  type        = number
  default     = 30000

  validation {
    condition     = var.requests_by_address >= 2000
    error_message = "requests_by_address must be 2000 or more: a page with its parts is dozens of requests."
  }
}

variable "health_check" {
  description = "Whether Route 53 asks every half a minute from outside; not where the environment sleeps at night."
  type        = bool
  default     = true
}

variable "sign_zone" {
  description = "Whether the zone is signed (DNSSEC). Wants a record in the parent zone afterwards, see signing.tf."
  type        = bool
  default     = false
}
