variable "configuration" {
  description = "Text of poolferry.yaml: file(\"poolferry.yaml\"). The functions get all of it; what Terraform has made since goes over it (source_client_id, target_pool_id, probe_client_id)."
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
    condition = alltrue([
      for side in ["source", "target"] : can(regex("^[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}$", yamldecode(var.configuration)[side].region))
    ])
    error_message = "source.region and target.region must be AWS regions, such as eu-west-1."
  }
  validation {
    condition = alltrue([
      for key in ["login_role_arn", "export_role_arn"] : try(
        regex("^arn:aws[a-z-]*:iam::([0-9]{12}):role/[\\w+=,.@/-]+$", yamldecode(var.configuration).source[key])[0] ==
        tostring(yamldecode(var.configuration).source.account), false
      )
    ])
    error_message = "source.login_role_arn and source.export_role_arn must be ARNs of roles in source.account; the module source-account creates them."
  }
  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", yamldecode(var.configuration).staging.bucket))
    error_message = "staging.bucket must have 3 to 63 lower-case letters, digits and hyphens; with a dot in it S3's certificate does not fit the host name."
  }
  validation {
    condition = alltrue([
      for reference in [try(yamldecode(var.configuration).source.client_secret, null), try(yamldecode(var.configuration).audit.name_key, "")] :
      reference == null ? true : can(regex("^secretsmanager:[!-~]+$", reference))
    ])
    error_message = "audit.name_key, and source.client_secret where the client has one, must be references of the form secretsmanager:NAME-OR-ARN: a deployed function finds no env: or file:, and Terraform's state must not hold a secret."
  }
  validation {
    condition = try(yamldecode(var.configuration).settle.groups.roles, null) == null ? true : alltrue([
      for role in yamldecode(var.configuration).settle.groups.roles : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:role/[\\w+=,.@/-]+$", role.role_arn))
    ])
    error_message = "settle.groups.roles must have ARNs of roles as role_arn: settle-users may pass these roles on, and no other."
  }
}

variable "source_client_id" {
  description = "Id of the migration's app client where Terraform makes it in the same run: output client_id of source-account. Null: as in the configuration."
  type        = string
  default     = null

  validation {
    condition     = var.source_client_id != null || can(regex("^[\\w+]{1,128}$", yamldecode(var.configuration).source.client_id))
    error_message = "There is no app client: write its id as source.client_id into the configuration, or set source_client_id to the output client_id of source-account."
  }
}

variable "target_pool_id" {
  description = "Id of the target pool where Terraform makes it in the same run: output id of target-pool. Null: as in the configuration."
  type        = string
  default     = null

  validation {
    condition = var.target_pool_id != null || try(
      regex("^([a-z0-9-]+)_[0-9A-Za-z]+$", yamldecode(var.configuration).target.pool_id)[0] == yamldecode(var.configuration).target.region, false
    )
    error_message = "There is no target pool: write its id, REGION_ID in target.region, as target.pool_id into the configuration, or set target_pool_id to the output id of target-pool."
  }
}

variable "probe_client_id" {
  description = "Id of the app client through which the probe of the cut-over signs in, where Terraform makes it in the same run: one of client_ids of target-pool. Null: as in the configuration."
  type        = string
  default     = null

  validation {
    condition = (
      try(yamldecode(var.configuration).cutover.probe_username, null) == null || var.probe_client_id != null ||
      can(regex("^[\\w+]{1,128}$", yamldecode(var.configuration).cutover.probe_client_id))
    )
    error_message = "The probe has no app client: write its id as cutover.probe_client_id into the configuration, or set probe_client_id to one of the output client_ids of target-pool."
  }
}

variable "target_sms_role_arn" {
  description = "The role by which the target pool sends SMS: sms.role_arn of target-pool. Who cuts over has to pass it on, for an update of the pool names it anew. Null: the pool has none."
  type        = string
  default     = null

  validation {
    condition     = var.target_sms_role_arn == null ? true : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:role/[\\w+=,.@/-]+$", var.target_sms_role_arn))
    error_message = "target_sms_role_arn must be the ARN of a role, such as arn:aws:iam::444455556666:role/sms, or null."
  }
}

variable "secret_arns" {
  description = "The secrets that the functions' configuration refers to, by a short name, that of audit.name_key as name_key: their values never pass through Terraform. Full ARNs, suffix included. Not the password of the probe, which no function reads."
  type        = map(string)
  nullable    = false

  validation {
    condition = contains(keys(var.secret_arns), "name_key") && alltrue([
      for name, arn in var.secret_arns :
      can(regex("^[a-z][a-z0-9_-]{0,31}$", name)) && can(regex("^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[\\w/+=.@-]+$", arn))
    ])
    error_message = "secret_arns must name the secret of audit.name_key, and by this name, because guard-signup gets it and no other: {name_key = \"arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME-SUFFIX\"}."
  }
}

variable "secret_key_arns" {
  description = "KMS keys of the account's own with which these secrets are encrypted, by a short name. None for aws/secretsmanager."
  type        = map(string)
  nullable    = false
  default     = {}

  validation {
    condition     = alltrue([for arn in values(var.secret_key_arns) : can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[\\w-]+$", arn))])
    error_message = "secret_key_arns must be ARNs of KMS keys; an alias is not enough for a policy."
  }
}

variable "packages" {
  description = "Folder that holds NAME-ARCHITECTURE.zip for every function. Null: dist, where make build leaves them."
  type        = string
  default     = null
}

variable "architecture" {
  description = "arm64 or amd64; arm64 costs a fifth less."
  type        = string
  nullable    = false
  default     = "arm64"

  validation {
    condition     = contains(["arm64", "amd64"], var.architecture)
    error_message = "architecture must be arm64 or amd64."
  }
}

variable "trigger" {
  description = "The migration trigger: invocations set aside for it (null: none, it shares the account's), and instances kept warm (paid by the hour)."
  type = object({
    reserved_concurrency    = optional(number, 200)
    provisioned_concurrency = optional(number, 0)
  })
  nullable = false
  default  = {}

  validation {
    condition     = var.trigger.reserved_concurrency == null ? true : var.trigger.reserved_concurrency >= 1
    error_message = "trigger.reserved_concurrency must be at least 1, or null; with 0 nobody is migrated."
  }
  validation {
    condition = var.trigger.provisioned_concurrency >= 0 && (
      var.trigger.reserved_concurrency == null ? true : var.trigger.provisioned_concurrency <= var.trigger.reserved_concurrency
    )
    error_message = "trigger.provisioned_concurrency must not be negative, nor more than trigger.reserved_concurrency."
  }
}

variable "welcome" {
  description = "welcome-user, which every sign-in of the target pool waits for: invocations set aside for it, and its limit (null: it shares the account's)."
  type = object({
    reserved_concurrency = optional(number, 200)
  })
  nullable = false
  default  = {}

  validation {
    condition     = var.welcome.reserved_concurrency == null ? true : var.welcome.reserved_concurrency >= 1
    error_message = "welcome.reserved_concurrency must be at least 1, or null; with 0 nobody signs in while welcome-user is attached."
  }
}

variable "reserve_concurrency" {
  description = "Whether the functions of seeding, reconciliation and tail set invocations aside, which also limits them. Not possible in an account whose quota is the 10 of new accounts."
  type        = bool
  nullable    = false
  default     = true
}

variable "schedule" {
  description = "When reconciliations start: an expression of EventBridge Scheduler in the time zone, and minutes within which it may choose."
  type = object({
    expression      = optional(string, "rate(1 hour)")
    timezone        = optional(string, "UTC")
    flexible_window = optional(number, 10)
  })
  nullable = false
  default  = {}

  validation {
    condition     = can(regex("^(rate\\([1-9][0-9]* (minutes?|hours?|days?)\\)|cron\\(\\S+( \\S+){5}\\))$", var.schedule.expression))
    error_message = "schedule.expression must be rate(N minutes|hours|days) or cron(six fields); at(…) runs once, and the migration is not over by then."
  }
  validation {
    condition     = var.schedule.flexible_window >= 0 && var.schedule.flexible_window <= 1440
    error_message = "schedule.flexible_window must be 0 to 1440 minutes."
  }
}

variable "alarm_emails" {
  description = "Addresses that hear of alarms and of the end of the migration. Each has to confirm a message first. Others subscribe to the topic themselves."
  type        = set(string)
  nullable    = false
  default     = []

  validation {
    condition     = alltrue([for address in var.alarm_emails : can(regex("^[^@\\s]+@[^@\\s]+$", address))])
    error_message = "alarm_emails must be e-mail addresses."
  }
}

variable "log_retention_days" {
  description = "Days for which logs are kept, the audit trail among them."
  type        = number
  nullable    = false
  default     = 365

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be a number that CloudWatch Logs knows: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653."
  }
}

variable "staging_retention_days" {
  description = "Days after which staged objects, which hold personal data, expire. Longer than the migration lasts: reconciliation reads them until the end."
  type        = number
  nullable    = false
  default     = 180

  validation {
    condition     = var.staging_retention_days >= 30 && var.staging_retention_days == floor(var.staging_retention_days)
    error_message = "staging_retention_days must be a whole number of at least 30: a manifest that expires during the migration cannot be compared any more."
  }
}

variable "staging_force_destroy" {
  description = "Whether terraform destroy deletes the staged objects with the bucket."
  type        = bool
  nullable    = false
  default     = false
}

variable "key_deletion_days" {
  description = "Days between the destruction of the module and the deletion of its KMS keys, with which everything that they encrypt is gone."
  type        = number
  nullable    = false
  default     = 30

  validation {
    condition     = var.key_deletion_days >= 7 && var.key_deletion_days <= 30
    error_message = "key_deletion_days must be 7 to 30."
  }
}

variable "network" {
  description = "Puts the functions into a VPC, for accounts that demand it; null: outside of any. route_table_ids are for the S3 endpoint. A source pool in another region is not reached through endpoints: the subnets need a NAT gateway as well."
  type = object({
    vpc_id           = string
    subnet_ids       = set(string)
    create_endpoints = optional(bool, true)
    route_table_ids  = optional(set(string), [])
  })
  default = null

  validation {
    condition     = var.network == null ? true : can(regex("^vpc-[0-9a-f]+$", var.network.vpc_id)) && length(var.network.subnet_ids) > 0
    error_message = "network needs a vpc_id, such as vpc-0123456789abcdef0, and at least one subnet."
  }
  validation {
    condition     = var.network == null ? true : !var.network.create_endpoints || length(var.network.route_table_ids) > 0
    error_message = "network.route_table_ids must name the route tables of the subnets: the S3 endpoint is a route. Or set create_endpoints to false where the VPC has its endpoints already."
  }
}

variable "permissions_boundary_arn" {
  description = "Policy that bounds every role, where the account demands one."
  type        = string
  default     = null

  validation {
    condition     = var.permissions_boundary_arn == null ? true : can(regex("^arn:aws[a-z-]*:iam::(?:aws|[0-9]{12}):policy/[\\w+=,.@/-]+$", var.permissions_boundary_arn))
    error_message = "permissions_boundary_arn must be the ARN of an IAM policy."
  }
}
