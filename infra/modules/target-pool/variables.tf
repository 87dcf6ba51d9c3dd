variable "name" {
  description = "Name of the pool."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[\\w\\s+=,.@-]{1,128}$", var.name))
    error_message = "name must have 1 to 128 letters, digits, spaces and _+=,.@-."
  }
}

variable "phase" {
  description = "migrating: the trigger, guard and welcome are attached, and clients accept passwords. cut-over: they are detached and clients accept SRP alone. Setting it back is the roll-back. The claim is attached in both."
  type        = string
  nullable    = false

  validation {
    condition     = contains(["migrating", "cut-over"], var.phase)
    error_message = "phase must be migrating or cut-over."
  }
}

variable "trigger_arn" {
  description = "The migration trigger: output trigger_arn of target-account."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:lambda:[a-z0-9-]+:[0-9]{12}:function:[\\w-]+:[\\w-]+$", var.trigger_arn))
    error_message = "trigger_arn must be the ARN of an alias of a function, such as arn:aws:lambda:eu-west-1:444455556666:function:poolferry-2026-11-prod-migrate-user:live."
  }
}

variable "guard_arn" {
  description = "Refuses registrations under names of users who have not moved yet: output guard_arn of target-account. Null: nobody looks, and self_sign_up has to wait for cut-over."
  type        = string
  default     = null

  validation {
    condition     = var.guard_arn == null ? true : can(regex("^arn:aws[a-z-]*:lambda:[a-z0-9-]+:[0-9]{12}:function:[\\w-]+:[\\w-]+$", var.guard_arn))
    error_message = "guard_arn must be the ARN of an alias of a function: output guard_arn of target-account."
  }
  validation {
    condition     = var.guard_arn == null || var.phase != "migrating" || var.other_triggers.pre_sign_up == null
    error_message = "A pool has one pre-sign-up trigger. While people migrate, leave either out: other_triggers.pre_sign_up, which may come back with cut-over, or guard_arn, and then self_sign_up is false."
  }
}

variable "welcome_arn" {
  description = "Puts users into their groups when they sign in for the first time: output welcome_arn of target-account. Null: the next reconciliation does."
  type        = string
  default     = null

  validation {
    condition     = var.welcome_arn == null ? true : can(regex("^arn:aws[a-z-]*:lambda:[a-z0-9-]+:[0-9]{12}:function:[\\w-]+:[\\w-]+$", var.welcome_arn))
    error_message = "welcome_arn must be the ARN of an alias of a function: output welcome_arn of target-account."
  }
  validation {
    condition     = var.welcome_arn == null || var.phase != "migrating" || var.other_triggers.post_authentication == null
    error_message = "A pool has one post-authentication trigger. Leave welcome_arn out: groups then come with the next reconciliation. Or leave other_triggers.post_authentication out until cut-over."
  }
}

variable "claim_arn" {
  description = "Puts the sub that the user had into tokens, for applications that still go by it: output claim_arn of target-account. Null: no such claim. Where other triggers stay, setting it back to null does not detach it: see README.md."
  type        = string
  default     = null

  validation {
    condition     = var.claim_arn == null ? true : can(regex("^arn:aws[a-z-]*:lambda:[a-z0-9-]+:[0-9]{12}:function:[\\w-]+:[\\w-]+$", var.claim_arn))
    error_message = "claim_arn must be the ARN of an alias of a function: output claim_arn of target-account."
  }
  validation {
    condition     = var.claim_arn == null || var.other_triggers.pre_token_generation == null
    error_message = "A pool has one pre-token-generation trigger. Leave claim_arn out and have your own function copy custom:legacy_sub from the user attributes of its event into the claim. Or leave other_triggers.pre_token_generation out."
  }
}

variable "deletion_protection" {
  description = "Whether the pool refuses to be deleted. To destroy it, apply with false first."
  type        = bool
  nullable    = false
  default     = true
}

variable "tier" {
  description = "Feature plan: LITE, ESSENTIALS or PLUS."
  type        = string
  nullable    = false
  default     = "ESSENTIALS"

  validation {
    condition     = contains(["LITE", "ESSENTIALS", "PLUS"], var.tier)
    error_message = "tier must be LITE, ESSENTIALS or PLUS."
  }
}

variable "username_attributes" {
  description = "What people sign in with instead of a username: email, phone_number. Cannot be changed once the pool exists."
  type        = set(string)
  nullable    = false
  default     = ["email"]

  validation {
    condition     = alltrue([for name in var.username_attributes : contains(["email", "phone_number"], name)])
    error_message = "username_attributes may have email and phone_number."
  }
}

variable "alias_attributes" {
  description = "What people may sign in with besides a username: email, phone_number, preferred_username. Not together with username_attributes. Cannot be changed once the pool exists."
  type        = set(string)
  nullable    = false
  default     = []

  validation {
    condition     = alltrue([for name in var.alias_attributes : contains(["email", "phone_number", "preferred_username"], name)])
    error_message = "alias_attributes may have email, phone_number and preferred_username."
  }
  validation {
    condition     = length(var.alias_attributes) == 0 || length(var.username_attributes) == 0
    error_message = "A pool has username_attributes or alias_attributes, not both: set username_attributes to []."
  }
}

variable "case_sensitive" {
  description = "Whether Ann@example.com and ann@example.com are two users. As in the source pool, or users of it collide. Cannot be changed once the pool exists."
  type        = bool
  nullable    = false
  default     = false
}

variable "required_attributes" {
  description = "Standard attributes that every user must have. Cannot be changed once the pool exists; a source user without one cannot be migrated."
  type        = set(string)
  nullable    = false
  default     = []

  validation {
    condition = alltrue([for name in var.required_attributes : contains([
      "address", "birthdate", "email", "family_name", "gender", "given_name", "locale", "middle_name", "name", "nickname",
      "phone_number", "picture", "preferred_username", "profile", "website", "zoneinfo",
    ], name)])
    error_message = "required_attributes must be standard attributes; Cognito does not let custom ones be required."
  }
}

variable "custom_attributes" {
  description = "Custom attributes without the prefix custom:, as the mapping writes them. legacy_sub is always there. One can be added later; none can be changed or taken away."
  type = list(object({
    name       = string
    type       = optional(string, "String")
    mutable    = optional(bool, true)
    min_length = optional(number, 0)
    max_length = optional(number, 2048)
    min_value  = optional(number)
    max_value  = optional(number)
  }))
  nullable = false
  default  = []

  validation {
    condition     = alltrue([for attribute in var.custom_attributes : can(regex("^[^:\\s]{1,20}$", attribute.name))])
    error_message = "Names of custom attributes have 1 to 20 characters and no prefix."
  }
  validation {
    condition     = alltrue([for attribute in var.custom_attributes : contains(["String", "Number", "DateTime", "Boolean"], attribute.type)])
    error_message = "Types of custom attributes are String, Number, DateTime and Boolean."
  }
  validation {
    condition     = !contains(var.custom_attributes[*].name, "legacy_sub") && length(distinct(var.custom_attributes[*].name)) == length(var.custom_attributes)
    error_message = "Each custom attribute is named once, and legacy_sub not at all: this module adds it."
  }
  validation {
    condition     = length(var.custom_attributes) <= 49
    error_message = "A pool has at most 50 custom attributes, and legacy_sub is one."
  }
  validation {
    condition = alltrue([
      for attribute in var.custom_attributes : attribute.min_length >= 0 && attribute.min_length <= attribute.max_length && attribute.max_length <= 2048
    ])
    error_message = "Lengths of custom attributes are 0 to 2048, the lesser first."
  }
}

variable "password_policy" {
  description = "For passwords that are chosen from now on. A migrated password stays as it is, even if it would not pass."
  type = object({
    minimum_length                = optional(number, 8)
    require_lowercase             = optional(bool, true)
    require_uppercase             = optional(bool, true)
    require_numbers               = optional(bool, true)
    require_symbols               = optional(bool, false)
    password_history_size         = optional(number, 0)
    temporary_password_valid_days = optional(number, 7)
  })
  nullable = false
  default  = {}

  validation {
    condition     = var.password_policy.minimum_length >= 6 && var.password_policy.minimum_length <= 99
    error_message = "password_policy.minimum_length must be 6 to 99."
  }
  validation {
    condition     = var.password_policy.password_history_size >= 0 && var.password_policy.password_history_size <= 24
    error_message = "password_policy.password_history_size must be 0 to 24."
  }
  validation {
    condition     = var.password_policy.temporary_password_valid_days >= 0 && var.password_policy.temporary_password_valid_days <= 365
    error_message = "password_policy.temporary_password_valid_days must be 0 to 365."
  }
}

variable "mfa" {
  description = "Second factors: OFF, OPTIONAL or ON; by authenticator app, and by SMS where sms is set. target.sms_mfa of poolferry.yaml says the same about SMS."
  type = object({
    configuration  = optional(string, "OPTIONAL")
    software_token = optional(bool, true)
  })
  nullable = false
  default  = {}

  validation {
    condition     = contains(["OFF", "OPTIONAL", "ON"], var.mfa.configuration)
    error_message = "mfa.configuration must be OFF, OPTIONAL or ON."
  }
  validation {
    condition     = var.mfa.configuration == "OFF" || var.mfa.software_token || var.sms != null
    error_message = "mfa needs a second factor: software_token, or sms."
  }
}

variable "sms" {
  description = "The role by which Cognito sends SMS, its external id, and the region of SNS. Null: no SMS."
  type = object({
    role_arn    = string
    external_id = string
    region      = optional(string)
  })
  default = null

  validation {
    condition     = var.sms == null ? true : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:role/[\\w+=,.@/-]+$", var.sms.role_arn)) && length(var.sms.external_id) > 0
    error_message = "sms needs the ARN of a role and an external id."
  }
}

variable "email" {
  description = "The SES identity that sends e-mail. Null: Cognito's own, 50 messages a day, too few for a migration in which people reset passwords."
  type = object({
    source_arn        = string
    from              = optional(string)
    reply_to          = optional(string)
    configuration_set = optional(string)
  })
  default = null

  validation {
    condition     = var.email == null ? true : can(regex("^arn:aws[a-z-]*:ses:[a-z0-9-]+:[0-9]{12}:identity/.+$", var.email.source_arn))
    error_message = "email.source_arn must be the ARN of an SES identity."
  }
}

variable "auto_verified_attributes" {
  description = "What Cognito verifies by itself: email, phone_number. What the source had verified stays verified."
  type        = set(string)
  nullable    = false
  default     = ["email"]

  validation {
    condition     = alltrue([for name in var.auto_verified_attributes : contains(["email", "phone_number"], name)])
    error_message = "auto_verified_attributes may have email and phone_number."
  }
}

variable "recovery" {
  description = "How a forgotten password is recovered, in order: verified_email, verified_phone_number, admin_only."
  type        = list(string)
  nullable    = false
  default     = ["verified_email"]

  validation {
    condition     = length(var.recovery) > 0 && alltrue([for name in var.recovery : contains(["verified_email", "verified_phone_number", "admin_only"], name)])
    error_message = "recovery must have at least one of verified_email, verified_phone_number and admin_only."
  }
  validation {
    condition     = !contains(var.recovery, "admin_only") || length(var.recovery) == 1
    error_message = "admin_only does not go with other ways of recovery."
  }
}

variable "self_sign_up" {
  description = "Whether people may register. Before cut-over it needs guard_arn: somebody could take a name before its owner is moved, who then never is."
  type        = bool
  nullable    = false
  default     = false

  validation {
    condition     = !var.self_sign_up || var.phase != "migrating" || var.guard_arn != null
    error_message = "While people migrate, self_sign_up needs guard_arn: set it to the output guard_arn of target-account, or let people register after cut-over."
  }
}

variable "threat_protection" {
  description = "OFF, AUDIT or ENFORCED; the last two need tier PLUS."
  type        = string
  nullable    = false
  default     = "OFF"

  validation {
    condition     = contains(["OFF", "AUDIT", "ENFORCED"], var.threat_protection)
    error_message = "threat_protection must be OFF, AUDIT or ENFORCED."
  }
  validation {
    condition     = var.threat_protection == "OFF" || var.tier == "PLUS"
    error_message = "threat_protection needs tier PLUS."
  }
}

variable "messages" {
  description = "Texts of verification messages, with {####} where the code goes. Null: Cognito's own."
  type = object({
    email_subject = optional(string)
    email_text    = optional(string)
    sms_text      = optional(string)
  })
  nullable = false
  default  = {}

  validation {
    condition = alltrue([
      for text in [var.messages.email_text, var.messages.sms_text] : text == null ? true : strcontains(text, "{####}")
    ])
    error_message = "messages must have {####} where the code goes."
  }
}

variable "other_triggers" {
  description = "ARNs of other triggers of the pool. A migrated sign-in runs pre_sign_up too: one that refuses users refuses migration. pre_token_generation gets events of version V1_0."
  type = object({
    pre_sign_up                    = optional(string)
    post_confirmation              = optional(string)
    pre_authentication             = optional(string)
    post_authentication            = optional(string)
    pre_token_generation           = optional(string)
    custom_message                 = optional(string)
    define_auth_challenge          = optional(string)
    create_auth_challenge          = optional(string)
    verify_auth_challenge_response = optional(string)
  })
  nullable = false
  default  = {}

  validation {
    condition = alltrue([
      for arn in values(var.other_triggers) : arn == null ? true : can(regex("^arn:aws[a-z-]*:lambda:[a-z0-9-]+:[0-9]{12}:function:[\\w:-]+$", arn))
    ])
    error_message = "other_triggers must be ARNs of functions."
  }
}

variable "clients" {
  description = "The apps that sign people in, by name. generate_secret puts the secret into Terraform's state; server_side adds the flow by which a server hands passwords on; read and write name attributes (null: all that may be)."
  type = map(object({
    generate_secret       = optional(bool, false)
    server_side           = optional(bool, false)
    read                  = optional(set(string))
    write                 = optional(set(string))
    access_token_minutes  = optional(number, 60)
    id_token_minutes      = optional(number, 60)
    refresh_token_days    = optional(number, 30)
    callback_urls         = optional(list(string), [])
    logout_urls           = optional(list(string), [])
    oauth_flows           = optional(set(string), [])
    oauth_scopes          = optional(set(string), [])
    identity_providers    = optional(set(string), ["COGNITO"])
    auth_session_validity = optional(number, 3)
  }))
  nullable = false

  validation {
    condition     = length(var.clients) > 0 && alltrue([for name in keys(var.clients) : can(regex("^[\\w\\s+=,.@-]{1,128}$", name))])
    error_message = "clients must have at least one app, each with a name of 1 to 128 characters."
  }
  validation {
    condition     = alltrue([for client in values(var.clients) : client.write == null ? true : !contains(client.write, "custom:legacy_sub")])
    error_message = "No client may write custom:legacy_sub: whoever can write it can pass for another user of the source pool."
  }
  validation {
    condition = alltrue([
      for client in values(var.clients) :
      client.access_token_minutes >= 5 && client.access_token_minutes <= 1440 && client.id_token_minutes >= 5 && client.id_token_minutes <= 1440 &&
      client.refresh_token_days >= 1 && client.refresh_token_days <= 3650
    ])
    error_message = "Access and ID tokens live 5 to 1440 minutes, refresh tokens 1 to 3650 days."
  }
  validation {
    condition     = alltrue([for client in values(var.clients) : length(client.oauth_flows) == 0 || length(client.callback_urls) > 0 && length(client.oauth_scopes) > 0])
    error_message = "A client with oauth_flows needs callback_urls and oauth_scopes."
  }
}
