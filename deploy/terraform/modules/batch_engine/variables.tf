variable "name" {
  description = "Begins the names of queues and job definitions; the same as ESTEIRA_BATCH_PREFIX."
  type        = string
}

variable "platform" {
  description = "EC2, or FARGATE for an environment without machines of its own; ESTEIRA_BATCH_PLATFORM must say the same."
  type        = string
  default     = "EC2"

  validation {
    condition     = contains(["EC2", "FARGATE"], var.platform)
    error_message = "platform must be EC2 or FARGATE."
  }
}

variable "families" {
  description = "Families of instances, at least six: the more there are, the more seldom spot runs dry."
  type        = list(string)
  default     = ["c6i", "c7i", "m6i", "m7i", "r6i", "r7i"]

  validation {
    condition     = length(var.families) >= 6
    error_message = "families must be six or more, or spot will often have none."
  }
}

variable "gpu_families" {
  description = "Families with GPUs; empty for no queue of them."
  type        = list(string)
  default     = []

  validation {
    condition     = length(var.gpu_families) == 0 || var.platform == "EC2"
    error_message = "gpu_families must be empty on Fargate, which has no GPUs."
  }
}

variable "max_vcpus" {
  description = "The most processors that each fleet may have: what a mistake can cost in an hour."
  type = object({
    on-demand = number
    spot      = number
    gpu       = optional(number, 0)
  })
}

variable "fair_share" {
  description = "Whether workspaces share the queues; ESTEIRA_BATCH_FAIR_SHARE must say the same. Changing it replaces the queues."
  type        = bool
  default     = true
}

variable "disk_gib" {
  description = "Disk of a machine, which all its steps share."
  type        = number
  default     = 200
}

variable "subnet_ids" {
  description = "Subnets of the machines, in three zones."
  type        = list(string)
}

variable "security_group_id" {
  description = "Group of the machines."
  type        = string
}

variable "logs_key_arn" {
  description = "Key of the runners' log."
  type        = string
}
