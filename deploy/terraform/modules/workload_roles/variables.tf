variable "names" {
  description = "What stands for the names in deploy/iam/grants.json; its README says what each is."
  type = object({
    prefix           = string
    state_machine    = string
    events_queue     = string
    events_key       = string
    storage_key      = string
    steps_role       = string
    uploads_bucket   = string
    results_bucket   = string
    manifests_bucket = string
    uploads_folder   = optional(string, "uploads")
    results_folder   = optional(string, "results")
    code_folder      = optional(string, "code")
    manifests_folder = optional(string, "runs")
  })
}

variable "namespace" {
  description = "Namespace of the platform's service accounts."
  type        = string
  default     = "esteira"
}

variable "cluster_name" {
  description = "The cluster whose groups the autoscaler may change."
  type        = string
}

variable "oidc_provider_arn" {
  description = "The cluster as an identity provider."
  type        = string
}

variable "oidc_issuer" {
  description = "Its issuer without https://."
  type        = string

  validation {
    condition     = !startswith(var.oidc_issuer, "https://")
    error_message = "oidc_issuer must not begin with https://: conditions would then name a key that is never there."
  }
}

variable "target_group_arn" {
  description = "Target group to which pods are joined."
  type        = string
}

variable "secrets_key_arn" {
  description = "Key of the secrets."
  type        = string
}

variable "database_owner_secret_arn" {
  description = "Secret of the role that owns the tables, which RDS named."
  type        = string
}
