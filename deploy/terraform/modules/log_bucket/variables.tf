variable "name" {
  description = "Begins the bucket's name, such as esteira-prod."
  type        = string
}

variable "keep_days" {
  description = "For how many days logs are kept."
  type        = number
  default     = 365

  validation {
    condition     = var.keep_days >= 365
    error_message = "keep_days must be 365 or more: an auditor asks about last year."
  }
}
