variable "configuration" {
  description = "Text of poolferry.yaml: file(\"poolferry.yaml\"). source.client_id may be missing until this module has made the client."
  type        = string
  nullable    = false

  validation {
    condition     = try(yamldecode(var.configuration).version == 1, false)
    error_message = "The configuration is not a poolferry.yaml of version 1: start from docs/poolferry.sample.yaml."
  }
  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,32}$", yamldecode(var.configuration).run))
    error_message = "run must have 2 to 33 lower-case letters, digits and hyphens to be deployed: it is part of the names of roles, which have at most 64 characters."
  }
  validation {
    condition     = can(regex("^[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}$", yamldecode(var.configuration).source.region))
    error_message = "source.region must be an AWS region, such as us-east-1."
  }
  validation {
    condition = try(
      regex("^([a-z0-9-]+)_[0-9A-Za-z]+$", yamldecode(var.configuration).source.pool_id)[0] == yamldecode(var.configuration).source.region, false
    )
    error_message = "source.pool_id must be a pool id of source.region, such as us-east-1_AbCdEf123."
  }
  validation {
    condition = alltrue([
      for key in ["login_role_arn", "export_role_arn"] : try(
        regex("^arn:aws[a-z-]*:iam::([0-9]{12}):role/(?:[!-~]*/)?[\\w+=,.@-]{1,64}$", yamldecode(var.configuration).source[key])[0] ==
        tostring(yamldecode(var.configuration).source.account), false
      )
    ])
    error_message = "source.login_role_arn and source.export_role_arn must be ARNs of roles in source.account, an id of 12 digits in quotes. This module creates the roles under these names."
  }
  validation {
    condition     = try(yamldecode(var.configuration).source.login_role_arn != yamldecode(var.configuration).source.export_role_arn, false)
    error_message = "source.login_role_arn and source.export_role_arn must be two roles: who signs users in must not be able to list them all."
  }
  validation {
    condition     = can(regex("^[\\w+=,.@:/-]{2,}$", yamldecode(var.configuration).source.external_id)) && try(length(yamldecode(var.configuration).source.external_id) <= 1224, false)
    error_message = "source.external_id must have 2 to 1224 letters, digits and _+=,.@:/-."
  }
  validation {
    condition     = try(contains(["verify", "reset", "accept"], lookup(yamldecode(var.configuration), "mfa_policy", "verify")), false)
    error_message = "mfa_policy must be verify, reset or accept."
  }
  validation {
    condition     = can([for rule in try(yamldecode(var.configuration).mapping.rules, []) : keys(rule)])
    error_message = "mapping.rules must be a list of rules such as {drop: \"custom:note\"}."
  }
}

variable "target_account_id" {
  description = "Id of the account that users go to, whose functions assume the roles."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[0-9]{12}$", var.target_account_id))
    error_message = "target_account_id must be an account id of 12 digits."
  }
}

variable "operator_arn" {
  description = "The role or user of the target account that may run poolferry seed and explain. For people who sign in through IAM Identity Center it is their AWSReservedSSO role, path included."
  type        = string
  nullable    = false

  validation {
    condition     = try(regex("^arn:aws[a-z-]*:iam::([0-9]{12}):(?:role|user)/[\\w+=,.@/-]+$", var.operator_arn)[0] == var.target_account_id, false)
    error_message = "operator_arn must be the ARN of one role or user of the target account; the ARN of a session (arn:aws:sts::…) does not match in a trust policy."
  }
}

variable "source_attributes" {
  description = "Names of the attributes that the source pool defines, custom: included. By default they are read from the pool."
  type        = set(string)
  default     = null

  validation {
    condition     = var.source_attributes == null ? true : length(var.source_attributes) > 0 && alltrue([for name in var.source_attributes : can(regex("^[!-~]{1,32}$", name))])
    error_message = "source_attributes must name at least one attribute, each such as email or custom:plan."
  }
}

variable "permissions_boundary_arn" {
  description = "Policy that bounds both roles, where the account demands one."
  type        = string
  default     = null

  validation {
    condition     = var.permissions_boundary_arn == null ? true : can(regex("^arn:aws[a-z-]*:iam::(?:aws|[0-9]{12}):policy/[\\w+=,.@/-]+$", var.permissions_boundary_arn))
    error_message = "permissions_boundary_arn must be the ARN of an IAM policy."
  }
}
