variable "name" {
  description = "Begins the names of everything and of Batch's queues, such as esteira-prod."
  type        = string
}

variable "kms_key_arn" {
  description = "Key of the queues; EventBridge must be allowed to use it."
  type        = string
}

variable "state_machine_name" {
  description = "Name of the state machine whose executions are followed."
  type        = string
}

variable "uploads_bucket" {
  description = "Bucket whose scans are followed."
  type        = string
}
