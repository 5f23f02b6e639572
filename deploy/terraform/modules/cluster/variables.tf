variable "name" {
  description = "Name of the cluster, such as esteira-prod."
  type        = string
}

variable "kubernetes_version" {
  description = "Version of Kubernetes, one that AWS supports without the surcharge."
  type        = string
  default     = "1.35"
}

variable "subnet_ids" {
  description = "Subnets of the machines, in three zones."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) == 3
    error_message = "subnet_ids must be three, one in each zone."
  }
}

variable "pods_security_group_id" {
  description = "Group of the machines and their pods."
  type        = string
}

variable "public_access_cidrs" {
  description = "From where the control plane is reached by the internet; empty: from the network only."
  type        = list(string)
  default     = []

  validation {
    condition     = !contains(var.public_access_cidrs, "0.0.0.0/0")
    error_message = "public_access_cidrs must name who: 0.0.0.0/0 is everybody."
  }
}

variable "access" {
  description = "Who may do what in the cluster: a role's ARN and one of AWS's access policies, such as AmazonEKSClusterAdminPolicy."
  type = map(object({
    principal_arn = string
    policy        = string
  }))
}

variable "node_groups" {
  description = "Groups of machines by name. Only `min` of them stand by; the autoscaler goes up to `max`."
  type = map(object({
    capacity_type  = string
    instance_types = list(string)
    min            = number
    max            = number
  }))

  validation {
    condition     = toset([for group in var.node_groups : group.capacity_type]) == toset(["ON_DEMAND", "SPOT"])
    error_message = "node_groups must have at least one ON_DEMAND and one SPOT."
  }

  validation {
    condition     = alltrue([for group in var.node_groups : group.max >= 1 && group.max > group.min])
    error_message = "A group must be able to grow: max above min, and EKS takes no 0."
  }
}

variable "kms_key_arn" {
  description = "Key of Kubernetes' secrets."
  type        = string
}

variable "logs_key_arn" {
  description = "Key of the control plane's log."
  type        = string
}
