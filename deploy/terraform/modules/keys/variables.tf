variable "name" {
  description = "Begins the names of everything, such as esteira-prod."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,19}$", var.name))
    error_message = "name must be 3 to 20 of a-z, 0-9 and -, a letter first: Batch's prefix has no more."
  }
}
