variable "name" {
  description = "Begins the names of everything, such as esteira-prod."
  type        = string
}

variable "logs_key_arn" {
  description = "Key of the trail and its log."
  type        = string
}

variable "watched_buckets" {
  description = "Buckets each write to which is on the trail."
  type        = list(string)

  validation {
    condition     = length(var.watched_buckets) > 0
    error_message = "watched_buckets must name those with files of people."
  }
}

variable "config_frequency" {
  description = "How often Config records: CONTINUOUS, or DAILY where that is enough, at a tenth of the price."
  type        = string

  validation {
    condition     = contains(["CONTINUOUS", "DAILY"], var.config_frequency)
    error_message = "config_frequency must be CONTINUOUS or DAILY."
  }
}
