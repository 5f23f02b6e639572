variable "name" {
  description = "Begins the names of everything, such as esteira-prod."
  type        = string
}

variable "environment" {
  description = "Value of the tag `environment` by which costs are told apart."
  type        = string
}

variable "usd_a_month" {
  description = "The month's budget in USD."
  type        = number

  validation {
    condition     = var.usd_a_month > 0
    error_message = "usd_a_month must be above 0."
  }
}

variable "mail_to" {
  description = "Addresses that are told, by who they are."
  type        = map(string)
}
