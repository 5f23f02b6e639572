variable "name" {
  description = "Begins the names of parameters and secrets, such as esteira-prod."
  type        = string
}

variable "settings" {
  description = "Settings by the name of their environment variable."
  type        = map(string)

  validation {
    condition     = alltrue([for name in keys(var.settings) : can(regex("^(ESTEIRA|AWS)_[A-Z0-9_]+$", name))])
    error_message = "settings must be named as the platform's environment variables, such as ESTEIRA_ENGINE."
  }

  validation {
    condition     = !anytrue([for name in keys(var.settings) : can(regex("(SECRET_KEY|SIGNING_KEY|MAIL_URL|PASSWORD)", name))])
    error_message = "settings must hold no secret: parameters are readable. Name it in `secrets`."
  }
}

variable "secrets" {
  description = "Secrets that a person fills once, by name, each with what it is."
  type        = map(string)
}

variable "secrets_key_arn" {
  description = "Key of the secrets."
  type        = string
}
