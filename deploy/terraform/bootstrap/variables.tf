variable "environment" {
  description = "Which environment this account is for."
  type        = string

  validation {
    condition     = contains(["staging", "prod"], var.environment)
    error_message = "environment must be staging or prod."
  }
}

variable "repository" {
  description = "The repository on GitHub that may plan and apply, as owner/name."
  type        = string
}

variable "region" {
  description = "Where the state lies."
  type        = string
  default     = "us-east-1"
}
