variable "name" {
  description = "Begins the names of everything, such as esteira-staging."
  type        = string
}

variable "cluster_name" {
  description = "The cluster."
  type        = string
}

variable "node_groups" {
  description = "Its groups of machines: how many stand by at night and by day."
  type = map(object({
    name       = string
    night_size = number
    day_size   = number
  }))
}

variable "timezone" {
  description = "Where it is 20:00."
  type        = string
  default     = "America/Sao_Paulo"
}

variable "kms_key_arn" {
  description = "Key of the schedules."
  type        = string
}
