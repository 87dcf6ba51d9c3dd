# The pool that users go to, and its app clients, where Terraform makes them.
#
# What Cognito lets nobody change once a pool exists (what people sign in with,
# case, required attributes, the attributes that there are) makes Terraform plan
# a new pool: that is the end of every user in it. Read the plan; with
# deletion_protection Cognito refuses.

locals {
  migrating = var.phase == "migrating"

  # What every pool has, and its users may change.
  standard_attributes = [
    "address", "birthdate", "email", "family_name", "gender", "given_name", "locale", "middle_name", "name", "nickname",
    "phone_number", "picture", "preferred_username", "profile", "updated_at", "website", "zoneinfo",
  ]
  writable = toset(concat(local.standard_attributes, [for attribute in var.custom_attributes : "custom:${attribute.name}"]))

  # What the pool calls in this phase. Validations see to it that no two ask for
  # one place.
  triggers = merge(var.other_triggers, { for place, arn in {
    user_migration       = local.migrating ? var.trigger_arn : null
    pre_sign_up          = local.migrating ? var.guard_arn : null
    post_authentication  = local.migrating ? var.welcome_arn : null
    pre_token_generation = var.claim_arn
  } : place => arn if arn != null })

  # Access tokens can have claims of ours in the plans above LITE only.
  token_version = var.claim_arn != null && var.tier != "LITE" ? "V2_0" : "V1_0"
}

resource "aws_cognito_user_pool" "this" {
  # Tells poolferry cutover to leave the pool to Terraform.
  tags = { "poolferry:managed-by" = "terraform" }

  name                     = var.name
  user_pool_tier           = var.tier
  deletion_protection      = var.deletion_protection ? "ACTIVE" : "INACTIVE"
  username_attributes      = length(var.username_attributes) > 0 ? var.username_attributes : null
  alias_attributes         = length(var.alias_attributes) > 0 ? var.alias_attributes : null
  auto_verified_attributes = var.auto_verified_attributes
  mfa_configuration        = var.mfa.configuration

  username_configuration {
    case_sensitive = var.case_sensitive
  }

  # The sub that the user had: by it the trigger's users are told from others.
  # Written once, when the user is created, and never again by anybody.
  schema {
    name                = "legacy_sub"
    attribute_data_type = "String"
    mutable             = false
    required            = false

    string_attribute_constraints {
      min_length = 0
      max_length = 2048
    }
  }

  dynamic "schema" {
    for_each = { for attribute in var.custom_attributes : attribute.name => attribute }
    content {
      name                = schema.key
      attribute_data_type = schema.value.type
      mutable             = schema.value.mutable
      required            = false

      # Written even where they are Cognito's defaults, or each plan finds a
      # difference.
      dynamic "string_attribute_constraints" {
        for_each = schema.value.type == "String" ? [1] : []
        content {
          min_length = schema.value.min_length
          max_length = schema.value.max_length
        }
      }
      dynamic "number_attribute_constraints" {
        for_each = schema.value.type == "Number" ? [1] : []
        content {
          min_value = schema.value.min_value
          max_value = schema.value.max_value
        }
      }
    }
  }

  dynamic "schema" {
    for_each = var.required_attributes
    content {
      name                = schema.value
      attribute_data_type = "String"
      mutable             = true
      required            = true

      string_attribute_constraints {
        min_length = schema.value == "birthdate" ? 10 : 0
        max_length = schema.value == "birthdate" ? 10 : 2048
      }
    }
  }

  password_policy {
    minimum_length                   = var.password_policy.minimum_length
    require_lowercase                = var.password_policy.require_lowercase
    require_uppercase                = var.password_policy.require_uppercase
    require_numbers                  = var.password_policy.require_numbers
    require_symbols                  = var.password_policy.require_symbols
    password_history_size            = var.password_policy.password_history_size
    temporary_password_validity_days = var.password_policy.temporary_password_valid_days
  }

  dynamic "software_token_mfa_configuration" {
    for_each = var.mfa.configuration != "OFF" ? [1] : []
    content {
      enabled = var.mfa.software_token
    }
  }

  # With it, SMS is a second factor wherever there are any.
  dynamic "sms_configuration" {
    for_each = var.sms == null ? [] : [var.sms]
    content {
      sns_caller_arn = sms_configuration.value.role_arn
      external_id    = sms_configuration.value.external_id
      sns_region     = sms_configuration.value.region
    }
  }

  email_configuration {
    email_sending_account  = var.email == null ? "COGNITO_DEFAULT" : "DEVELOPER"
    source_arn             = try(var.email.source_arn, null)
    from_email_address     = try(var.email.from, null)
    reply_to_email_address = try(var.email.reply_to, null)
    configuration_set      = try(var.email.configuration_set, null)
  }

  account_recovery_setting {
    dynamic "recovery_mechanism" {
      for_each = var.recovery
      content {
        name     = recovery_mechanism.value
        priority = recovery_mechanism.key + 1
      }
    }
  }

  admin_create_user_config {
    allow_admin_create_user_only = !var.self_sign_up
  }

  # A changed address is used once it is verified: else a typing error locks its
  # owner out.
  dynamic "user_attribute_update_settings" {
    for_each = length(var.auto_verified_attributes) > 0 ? [1] : []
    content {
      attributes_require_verification_before_update = var.auto_verified_attributes
    }
  }

  verification_message_template {
    default_email_option = "CONFIRM_WITH_CODE"
    email_subject        = var.messages.email_subject
    email_message        = var.messages.email_text
    sms_message          = var.messages.sms_text
  }

  dynamic "user_pool_add_ons" {
    for_each = var.threat_protection == "OFF" ? [] : [1]
    content {
      advanced_security_mode = var.threat_protection
    }
  }

  # Ours are named by texts, not by the resources: their functions name this pool,
  # and their permissions too. In cut-over those that move users are gone before
  # anything that they run on: a pool whose trigger is deleted fails every unknown
  # name.
  dynamic "lambda_config" {
    for_each = anytrue([for arn in values(local.triggers) : arn != null]) ? [local.triggers] : []
    content {
      user_migration                 = lookup(lambda_config.value, "user_migration", null)
      pre_sign_up                    = lambda_config.value.pre_sign_up
      post_confirmation              = lambda_config.value.post_confirmation
      pre_authentication             = lambda_config.value.pre_authentication
      post_authentication            = lambda_config.value.post_authentication
      pre_token_generation           = lambda_config.value.pre_token_generation
      custom_message                 = lambda_config.value.custom_message
      define_auth_challenge          = lambda_config.value.define_auth_challenge
      create_auth_challenge          = lambda_config.value.create_auth_challenge
      verify_auth_challenge_response = lambda_config.value.verify_auth_challenge_response

      # Both, because Cognito wants them alike and the provider keeps whichever it
      # is not told.
      dynamic "pre_token_generation_config" {
        for_each = lambda_config.value.pre_token_generation == null ? [] : [lambda_config.value.pre_token_generation]
        content {
          lambda_arn     = pre_token_generation_config.value
          lambda_version = local.token_version
        }
      }
    }
  }
}

resource "aws_cognito_user_pool_client" "this" {
  for_each = var.clients

  name         = each.key
  user_pool_id = aws_cognito_user_pool.this.id

  # The trigger needs the password itself, which SRP never sends. After cut-over
  # nothing does.
  explicit_auth_flows = concat(
    ["ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
    local.migrating ? ["ALLOW_USER_PASSWORD_AUTH"] : [],
    local.migrating && each.value.server_side ? ["ALLOW_ADMIN_USER_PASSWORD_AUTH"] : [],
  )

  # The same answer for an unknown name and a wrong password; the trigger's empty
  # answer is made for it.
  prevent_user_existence_errors = "ENABLED"
  enable_token_revocation       = true
  generate_secret               = each.value.generate_secret
  auth_session_validity         = each.value.auth_session_validity

  # Without a list a client may write every attribute, custom:legacy_sub too when
  # somebody registers.
  read_attributes  = each.value.read
  write_attributes = each.value.write != null ? each.value.write : local.writable

  access_token_validity  = each.value.access_token_minutes
  id_token_validity      = each.value.id_token_minutes
  refresh_token_validity = each.value.refresh_token_days
  token_validity_units {
    access_token  = "minutes"
    id_token      = "minutes"
    refresh_token = "days"
  }

  supported_identity_providers         = each.value.identity_providers
  allowed_oauth_flows_user_pool_client = length(each.value.oauth_flows) > 0
  allowed_oauth_flows                  = each.value.oauth_flows
  allowed_oauth_scopes                 = each.value.oauth_scopes
  callback_urls                        = each.value.callback_urls
  logout_urls                          = each.value.logout_urls
}
