variable "name" {
  description = "Name of the function, of its role and of its log group."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9-]{1,64}$", var.name))
    error_message = "name must have at most 64 lower-case letters, digits and hyphens, as names of functions and roles do."
  }
}

variable "description" {
  description = "What the function does."
  type        = string
  nullable    = false
}

variable "package" {
  description = "Path of the zip file, with the executable bootstrap at its root."
  type        = string
  nullable    = false

  validation {
    condition     = fileexists(var.package)
    error_message = "There is no such package: run make build, or set packages to the folder that has them."
  }
}

variable "architecture" {
  description = "arm64 or amd64, as in the package's name."
  type        = string
  nullable    = false

  validation {
    condition     = contains(["arm64", "amd64"], var.architecture)
    error_message = "architecture must be arm64 or amd64."
  }
}

variable "policies" {
  description = "What the function may do: IAM policy documents, by the name that the role has them under."
  type        = map(string)
  nullable    = false

  validation {
    condition     = alltrue([for document in values(var.policies) : can(jsondecode(document).Statement)])
    error_message = "policies must be IAM policy documents in JSON."
  }
}

variable "timeout" {
  description = "Seconds after which Lambda ends an invocation."
  type        = number
  nullable    = false

  validation {
    condition     = var.timeout >= 1 && var.timeout <= 900
    error_message = "timeout must be 1 to 900 seconds."
  }
}

variable "memory" {
  description = "Megabytes; processor time is in proportion."
  type        = number
  nullable    = false

  validation {
    condition     = var.memory >= 128 && var.memory <= 10240
    error_message = "memory must be 128 to 10240 MB."
  }
}

variable "reserved_concurrency" {
  description = "Invocations at a time that are set aside for the function, and are its limit. Null: it shares the account's."
  type        = number
  default     = null

  validation {
    condition     = var.reserved_concurrency == null ? true : var.reserved_concurrency >= 1
    error_message = "reserved_concurrency must be at least 1: with 0 the function is never run."
  }
}

variable "environment" {
  description = "Environment variables. Terraform's state has them: no secrets."
  type        = map(string)
  nullable    = false
}

variable "log_retention_days" {
  description = "Days for which log lines are kept."
  type        = number
  nullable    = false
}

variable "log_key_arn" {
  description = "KMS key that encrypts the log group."
  type        = string
  nullable    = false
}

variable "alias" {
  description = "Name of an alias that points to the published version; null publishes none."
  type        = string
  default     = null
}

variable "provisioned_concurrency" {
  description = "Instances that the alias keeps warm."
  type        = number
  nullable    = false
  default     = 0

  validation {
    condition     = var.provisioned_concurrency >= 0 && (var.provisioned_concurrency == 0 || var.alias != null)
    error_message = "provisioned_concurrency must not be negative and needs an alias."
  }
  validation {
    condition     = var.reserved_concurrency == null ? true : var.provisioned_concurrency <= var.reserved_concurrency
    error_message = "provisioned_concurrency must not be more than reserved_concurrency."
  }
}

variable "network" {
  description = "Where the function's network interfaces are; null: outside of any VPC."
  type = object({
    subnet_ids         = set(string)
    security_group_ids = set(string)
  })
  default = null
}

variable "permissions_boundary_arn" {
  description = "Policy that bounds the role, where the account demands one."
  type        = string
  default     = null
}
