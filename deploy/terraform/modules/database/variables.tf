variable "name" {
  description = "Name of the cluster, such as esteira-prod."
  type        = string
}

variable "capacity" {
  description = "Aurora capacity units, from and to; from 0 it sleeps after an hour without connections. One unit is 2 GiB."
  type = object({
    min = number
    max = number
  })

  validation {
    condition     = var.capacity.min >= 0 && var.capacity.max >= 1 && var.capacity.max <= 256 && var.capacity.min <= var.capacity.max
    error_message = "capacity must go from 0 or more to at most 256."
  }
}

variable "instances" {
  description = "Instances by name, each with its turn to become the writer: 0 and 1 are as large as the writer at all times."
  type = map(object({
    promotion_tier = number
  }))
}

variable "subnet_ids" {
  description = "Subnets of the database, in three zones."
  type        = list(string)
}

variable "function_subnet_ids" {
  description = "Subnets from which the function that rotates reaches Secrets Manager and the database."
  type        = list(string)
}

variable "security_group_id" {
  description = "Group of the database."
  type        = string
}

variable "rotation_security_group_id" {
  description = "Group of the function that rotates the password."
  type        = string
}

variable "kms_key_arn" {
  description = "Key of storage and backups."
  type        = string
}

variable "secrets_key_arn" {
  description = "Key of the passwords."
  type        = string
}

variable "logs_key_arn" {
  description = "Key of the logs."
  type        = string
}

variable "backup_days" {
  description = "For how many days it can be restored to any second."
  type        = number
  default     = 35

  validation {
    condition     = var.backup_days >= 7 && var.backup_days <= 35
    error_message = "backup_days must be from 7 to 35: RDS keeps no longer, and less is no backup."
  }
}

variable "insights" {
  description = "Database Insights in its advanced mode, which keeps 15 months and costs by capacity."
  type        = bool
}
