variable "name" {
  description = "Begins the names of everything, such as esteira-prod."
  type        = string
}

variable "repository" {
  description = "The repository on GitHub, as owner/name."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$", var.repository))
    error_message = "repository must be owner/name, without *: anything wider lets strangers in."
  }
}

variable "environment" {
  description = "GitHub's environment whose gate stands before a change: staging or prod."
  type        = string
}

variable "state_bucket_arn" {
  description = "Bucket of Terraform's state, which a plan reads."
  type        = string
}

variable "state_key_arn" {
  description = "Key that the state is encrypted with."
  type        = string
}
