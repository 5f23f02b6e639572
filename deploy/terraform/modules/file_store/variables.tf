variable "bucket" {
  description = "The bucket's whole name."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,54}[a-z0-9]$", var.bucket))
    error_message = "bucket must be 3 to 56 of a-z, 0-9 and -: names of its roles begin with it."
  }
}

variable "kms_key_arn" {
  description = "Key that everything in it is encrypted with."
  type        = string
}

variable "log_bucket" {
  description = "Bucket for its access logs; null for none, as for a copy in another region."
  type        = string
  default     = null
}

variable "retention_days" {
  description = "After how many days what is still current is marked as deleted: 365 for uploads, 1826 for results."
  type        = number

  validation {
    condition     = var.retention_days >= 90
    error_message = "retention_days must be 90 or more."
  }
}

variable "folder" {
  description = "Where that is so, such as results/; null for the whole bucket. What lies beside it is kept for good."
  type        = string
  default     = null

  validation {
    condition     = var.folder == null || can(regex("^[a-z/]+/$", coalesce(var.folder, "-")))
    error_message = "folder must end with a slash: results would be the beginning of other names too."
  }
}

variable "net_days" {
  description = "How many days after that the bytes go: longer than any extension that the platform grants."
  type        = number
  default     = 3690

  validation {
    condition     = var.net_days >= 30
    error_message = "net_days must be 30 or more: for so long a deletion can be undone."
  }
}

variable "tiered" {
  description = "Whether files move to cheaper classes after 30 and 90 days. Small ones cost more there."
  type        = bool
  default     = true
}

variable "cors_origin" {
  description = "Address of the pages that send to the bucket, such as https://esteira.example.org; null for none."
  type        = string
  default     = null

  validation {
    condition     = var.cors_origin == null || can(regex("^https://[a-z0-9.-]+$", coalesce(var.cors_origin, "-")))
    error_message = "cors_origin must be one https address without a path: * would let any page use a stolen URL."
  }
}

variable "scan" {
  description = "Whether GuardDuty scans what arrives."
  type        = bool
  default     = false
}

variable "replica" {
  description = "Bucket and key in another region to which every version is copied; null for none."
  type = object({
    bucket_arn  = string
    kms_key_arn = string
  })
  default = null
}
