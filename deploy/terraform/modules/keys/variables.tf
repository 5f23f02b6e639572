variable "name" {
  description = "Begins the names of everything, such as esteira-prod."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,19}$", var.name))
    error_message = "name must be 3 to 20 of a-z, 0-9 and -, a letter first: Batch's prefix has no more."
  }
}

variable "only" {
  description = "Which keys to make; all of them unless it is for a copy in another region."
  type        = set(string)
  default     = ["cluster", "database", "events", "logs", "secrets", "storage"]

  validation {
    condition     = length(setsubtract(var.only, ["cluster", "database", "events", "logs", "secrets", "storage"])) == 0
    error_message = "only may name cluster, database, events, logs, secrets and storage."
  }
}
