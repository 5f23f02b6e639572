variable "name" {
  description = "Name of the machine, and what job queues and definitions begin with."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,19}$", var.name))
    error_message = "name must be up to 20 of a-z, 0-9 and -, a letter first, as ESTEIRA_BATCH_PREFIX."
  }
}

variable "logs_key_arn" {
  description = "Key of the log."
  type        = string
}
