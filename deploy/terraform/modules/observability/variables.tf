variable "name" {
  description = "Begins the names of everything, such as esteira-prod."
  type        = string
}

variable "mail_to" {
  description = "Addresses that are told, by who they are. Each must confirm once."
  type        = map(string)

  validation {
    condition     = length(var.mail_to) > 0
    error_message = "mail_to must name somebody: an alarm that nobody hears is none."
  }
}

variable "logs_key_arn" {
  description = "Key of logs and topics here."
  type        = string
}

variable "edge_logs_key_arn" {
  description = "Key of the topic in us-east-1."
  type        = string
}

variable "cluster_name" {
  description = "The cluster."
  type        = string
}

variable "namespace" {
  description = "Namespace of the platform's pods."
  type        = string
  default     = "esteira"
}

variable "load_balancer_suffix" {
  description = "The load balancer as alarms name it."
  type        = string
}

variable "target_group_suffix" {
  description = "The target group as alarms name it."
  type        = string
}

variable "distribution_id" {
  description = "The distribution."
  type        = string
}

variable "web_acl_name" {
  description = "The firewall."
  type        = string
}

variable "certificate_arns" {
  description = "Certificates: viewer and origin."
  type = object({
    viewer = string
    origin = string
  })
}

variable "database_id" {
  description = "Name of the database cluster."
  type        = string
}

variable "database_max_connections" {
  description = "How many connections it has."
  type        = number
}

variable "database_vcpus" {
  description = "Processors at its largest: a quarter of its capacity units."
  type        = number
}

variable "has_reader" {
  description = "Whether a reader stands by."
  type        = bool
}

variable "state_machine_arn" {
  description = "The state machine."
  type        = string
}

variable "failed_executions" {
  description = "Failed executions a minute above which somebody is told."
  type        = number
  default     = 10
}

variable "events_queue" {
  description = "Queue of events."
  type        = string
}

variable "dead_letter_queue" {
  description = "Queue of what nobody understood."
  type        = string
}

variable "event_rules" {
  description = "Rules that deliver to the queue of events."
  type        = set(string)
}

variable "backup_vault" {
  description = "The vault."
  type        = string
}
