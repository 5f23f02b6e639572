variable "name" {
  description = "Name of the vault, such as esteira-prod."
  type        = string
}

variable "resource_arns" {
  description = "What is backed up, by what it is."
  type        = map(string)

  validation {
    condition     = length(var.resource_arns) > 0
    error_message = "resource_arns must name the database."
  }
}

variable "lock" {
  description = "Whether nobody can delete a backup before its time."
  type        = bool
}

variable "changeable_days" {
  description = "For how many days after its making the lock can still be taken back."
  type        = number
  default     = 14

  validation {
    condition     = var.changeable_days >= 3
    error_message = "changeable_days must be 3 or more: AWS takes no less."
  }
}

variable "topic_arn" {
  description = "Topic that hears of failures."
  type        = string
}
