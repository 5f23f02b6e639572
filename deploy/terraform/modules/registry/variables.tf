variable "name" {
  description = "Folder of the repositories, such as esteira-prod; roles of CI and of steps name it."
  type        = string
}

variable "repositories" {
  description = "Repositories by name, and how many images each keeps."
  type = map(object({
    keep = number
  }))

  validation {
    condition     = alltrue([for one in var.repositories : one.keep >= 30])
    error_message = "keep must be 30 or more, or there is nothing to roll back to."
  }
}

variable "kms_key_arn" {
  description = "Key of the images."
  type        = string
}
