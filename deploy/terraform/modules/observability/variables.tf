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

variable "cluster_name" {
  description = "The cluster."
  type        = string
}

variable "namespace" {
  description = "Namespace of the platform's pods."
  type        = string
  default     = "esteira"
}

variable "backup_vault" {
  description = "The vault."
  type        = string
}

variable "edge" {
  description = "What stands at the edge, as alarms name it, the key of the topic in us-east-1, and where there are any the question from outside and the signed zone."
  type = object({
    load_balancer    = string
    target_group     = string
    distribution     = string
    web_acl          = string
    logs_key_arn     = string
    certificate_arns = object({ viewer = string, origin = string })
    health_checks    = optional(map(string), {})
    signed_zones     = optional(map(string), {})
  })
}

variable "database" {
  description = "The database cluster: its name, connections, processors at its largest (a quarter of its capacity units), and whether a reader stands by."
  type = object({
    id              = string
    max_connections = number
    vcpus           = number
    has_reader      = bool
  })
}

variable "engine" {
  description = "State machine, queues and rules of events, and how many failed executions a minute are one too many."
  type = object({
    state_machine_arn = string
    failed_executions = optional(number, 10)
    # Four hours: longer than most pipelines take, shorter than a queue that stands still for a day.
    slow_executions_ms = optional(number, 14400000)
    events_queue       = string
    dead_letter_queue  = string
    event_rules        = set(string)
  })
}

variable "drill_at" {
  description = "When each alarm rings once on purpose, as EventBridge Scheduler writes it. Without it none does."
  type        = string
  default     = null

  validation {
    condition     = var.drill_at == null || !endswith(var.name, "-prod")
    error_message = "In production the drill is rung by hand, after those on call were told."
  }
}

variable "timezone" {
  description = "Whose hours drill_at means."
  type        = string
  default     = "America/Sao_Paulo"
}
