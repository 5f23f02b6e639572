variable "name" {
  description = "Name of the folder, such as esteira-prod."
  type        = string
}

variable "subnet_ids" {
  description = "Subnets of the pods, in three zones."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) == 3
    error_message = "subnet_ids must be three, one in each zone."
  }
}

variable "security_group_id" {
  description = "Group of the folder, which lets the pods' machines in."
  type        = string
}

variable "kms_key_arn" {
  description = "Key of what lies in it."
  type        = string
}
