# What the phase switches, and what it leaves alone.

mock_provider "aws" {}

variables {
  name        = "customers"
  trigger_arn = "arn:aws:lambda:eu-west-1:444455556666:function:poolferry-2026-11-prod-migrate-user:live"
  clients     = { app = {}, server = { server_side = true, generate_secret = true } }
}

run "migrating" {
  command = plan
  variables {
    phase             = "migrating"
    custom_attributes = [{ name = "subscription" }, { name = "level", type = "Number", max_value = 9 }]
  }

  assert {
    condition     = aws_cognito_user_pool.this.lambda_config[0].user_migration == var.trigger_arn
    error_message = "The trigger is not attached."
  }
  assert {
    condition     = aws_cognito_user_pool_client.this["app"].explicit_auth_flows == toset(["ALLOW_USER_SRP_AUTH", "ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"])
    error_message = "The app cannot send the password that the trigger needs."
  }
  assert {
    condition     = contains(aws_cognito_user_pool_client.this["server"].explicit_auth_flows, "ALLOW_ADMIN_USER_PASSWORD_AUTH") && aws_cognito_user_pool_client.this["server"].generate_secret
    error_message = "The server cannot hand a password on."
  }
  assert {
    condition     = alltrue([for s in aws_cognito_user_pool.this.schema : !s.mutable && !s.required && s.attribute_data_type == "String" if s.name == "legacy_sub"]) && contains(aws_cognito_user_pool.this.schema[*].name, "legacy_sub")
    error_message = "custom:legacy_sub is missing, or somebody can change it."
  }
  assert {
    condition     = toset(aws_cognito_user_pool.this.schema[*].name) == toset(["legacy_sub", "subscription", "level"])
    error_message = "The schema has ${join(", ", aws_cognito_user_pool.this.schema[*].name)}."
  }
  assert {
    condition     = alltrue([for client in aws_cognito_user_pool_client.this : !contains(client.write_attributes, "custom:legacy_sub") && contains(client.write_attributes, "custom:subscription") && contains(client.write_attributes, "email")])
    error_message = "A client may write custom:legacy_sub, or not what its users may change."
  }
  assert {
    condition     = alltrue([for client in aws_cognito_user_pool_client.this : client.prevent_user_existence_errors == "ENABLED"])
    error_message = "A client tells whether a user exists."
  }
  assert {
    condition     = aws_cognito_user_pool.this.deletion_protection == "ACTIVE" && aws_cognito_user_pool.this.admin_create_user_config[0].allow_admin_create_user_only && aws_cognito_user_pool.this.username_configuration[0].case_sensitive == false
    error_message = "A default is not the careful one."
  }
}

run "migrating_with_all_triggers" {
  command = plan
  variables {
    phase          = "migrating"
    guard_arn      = "arn:aws:lambda:eu-west-1:444455556666:function:poolferry-2026-11-prod-guard-signup:live"
    welcome_arn    = "arn:aws:lambda:eu-west-1:444455556666:function:poolferry-2026-11-prod-welcome-user:live"
    claim_arn      = "arn:aws:lambda:eu-west-1:444455556666:function:poolferry-2026-11-prod-legacy-claim:live"
    other_triggers = { post_confirmation = "arn:aws:lambda:eu-west-1:444455556666:function:crm" }
    self_sign_up   = true
  }

  assert {
    condition = alltrue([
      aws_cognito_user_pool.this.lambda_config[0].user_migration == var.trigger_arn,
      aws_cognito_user_pool.this.lambda_config[0].pre_sign_up == var.guard_arn,
      aws_cognito_user_pool.this.lambda_config[0].post_authentication == var.welcome_arn,
      aws_cognito_user_pool.this.lambda_config[0].pre_token_generation == var.claim_arn,
      aws_cognito_user_pool.this.lambda_config[0].post_confirmation == var.other_triggers.post_confirmation,
    ])
    error_message = "A trigger is not attached where it belongs."
  }
  assert {
    condition     = aws_cognito_user_pool.this.lambda_config[0].pre_token_generation_config[0].lambda_arn == var.claim_arn && aws_cognito_user_pool.this.lambda_config[0].pre_token_generation_config[0].lambda_version == "V2_0"
    error_message = "The claim cannot get into access tokens."
  }
  assert {
    condition     = !aws_cognito_user_pool.this.admin_create_user_config[0].allow_admin_create_user_only
    error_message = "People cannot register, though they are guarded."
  }
  assert {
    condition     = aws_cognito_user_pool.this.tags["poolferry:managed-by"] == "terraform"
    error_message = "poolferry cutover would change the pool behind Terraform's back."
  }
}

run "cut_over_keeps_the_claim" {
  command = plan
  variables {
    phase          = "cut-over"
    guard_arn      = "arn:aws:lambda:eu-west-1:444455556666:function:poolferry-2026-11-prod-guard-signup:live"
    welcome_arn    = "arn:aws:lambda:eu-west-1:444455556666:function:poolferry-2026-11-prod-welcome-user:live"
    claim_arn      = "arn:aws:lambda:eu-west-1:444455556666:function:poolferry-2026-11-prod-legacy-claim:live"
    other_triggers = { pre_sign_up = "arn:aws:lambda:eu-west-1:444455556666:function:crm", post_authentication = "arn:aws:lambda:eu-west-1:444455556666:function:crm" }
    self_sign_up   = true
  }

  assert {
    condition     = aws_cognito_user_pool.this.lambda_config[0].user_migration == null && aws_cognito_user_pool.this.lambda_config[0].pre_sign_up == var.other_triggers.pre_sign_up && aws_cognito_user_pool.this.lambda_config[0].post_authentication == var.other_triggers.post_authentication
    error_message = "A trigger that moves users is still attached, or keeps yours out."
  }
  assert {
    condition     = aws_cognito_user_pool.this.lambda_config[0].pre_token_generation_config[0].lambda_arn == var.claim_arn
    error_message = "Applications lose the claim with cut-over."
  }
}

run "cut_over_with_all_of_ours_keeps_the_claim_alone" {
  command = plan
  variables {
    phase       = "cut-over"
    guard_arn   = "arn:aws:lambda:eu-west-1:444455556666:function:poolferry-2026-11-prod-guard-signup:live"
    welcome_arn = "arn:aws:lambda:eu-west-1:444455556666:function:poolferry-2026-11-prod-welcome-user:live"
    claim_arn   = "arn:aws:lambda:eu-west-1:444455556666:function:poolferry-2026-11-prod-legacy-claim:live"
  }

  assert {
    condition     = aws_cognito_user_pool.this.lambda_config[0].user_migration == null && aws_cognito_user_pool.this.lambda_config[0].pre_sign_up == null && aws_cognito_user_pool.this.lambda_config[0].post_authentication == null && aws_cognito_user_pool.this.lambda_config[0].pre_token_generation == var.claim_arn
    error_message = "Cut-over leaves more than the claim, or less."
  }
}

run "claim_of_a_lite_pool" {
  command = plan
  variables {
    phase     = "migrating"
    tier      = "LITE"
    claim_arn = "arn:aws:lambda:eu-west-1:444455556666:function:poolferry-2026-11-prod-legacy-claim:live"
  }

  assert {
    condition     = aws_cognito_user_pool.this.lambda_config[0].pre_token_generation_config[0].lambda_version == "V1_0"
    error_message = "Cognito refuses this version in a LITE pool."
  }
}

run "cut_over" {
  command = plan
  variables {
    phase = "cut-over"
  }

  assert {
    condition     = length(aws_cognito_user_pool.this.lambda_config) == 0
    error_message = "The trigger is still attached."
  }
  assert {
    condition     = alltrue([for client in aws_cognito_user_pool_client.this : client.explicit_auth_flows == toset(["ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"])])
    error_message = "A client still takes passwords."
  }
}

run "cut_over_keeps_other_triggers" {
  command = plan
  variables {
    phase          = "cut-over"
    other_triggers = { pre_token_generation = "arn:aws:lambda:eu-west-1:444455556666:function:claims" }
  }

  assert {
    condition     = aws_cognito_user_pool.this.lambda_config[0].user_migration == null && aws_cognito_user_pool.this.lambda_config[0].pre_token_generation == var.other_triggers.pre_token_generation && aws_cognito_user_pool.this.lambda_config[0].pre_token_generation_config[0].lambda_version == "V1_0"
    error_message = "Cut-over changes other triggers, or keeps ours."
  }
}

run "every_setting" {
  command = plan
  variables {
    phase               = "migrating"
    tier                = "PLUS"
    threat_protection   = "AUDIT"
    deletion_protection = false
    username_attributes = []
    alias_attributes    = ["email", "phone_number"]
    case_sensitive      = true
    required_attributes = ["birthdate", "name"]
    mfa                 = { configuration = "ON" }
    sms                 = { role_arn = "arn:aws:iam::444455556666:role/sms", external_id = "sms", region = "eu-west-1" }
    email               = { source_arn = "arn:aws:ses:eu-west-1:444455556666:identity/example.com", from = "Example <hello@example.com>" }
    recovery            = ["verified_phone_number", "verified_email"]
    self_sign_up        = true
    guard_arn           = "arn:aws:lambda:eu-west-1:444455556666:function:poolferry-2026-11-prod-guard-signup:live"

    auto_verified_attributes = []
    messages                 = { email_subject = "Your code", email_text = "It is {####}.", sms_text = "{####}" }
    clients = {
      app = {
        write         = ["name"]
        read          = ["name", "custom:legacy_sub"]
        oauth_flows   = ["code"]
        oauth_scopes  = ["openid"]
        callback_urls = ["https://example.com/in"]
        logout_urls   = ["https://example.com/out"]
      }
    }
  }

  assert {
    condition     = aws_cognito_user_pool.this.user_pool_tier == "PLUS" && aws_cognito_user_pool.this.user_pool_add_ons[0].advanced_security_mode == "AUDIT" && aws_cognito_user_pool.this.deletion_protection == "INACTIVE"
    error_message = "A setting of the pool is not taken over."
  }
  assert {
    condition     = one([for s in aws_cognito_user_pool.this.schema : s.string_attribute_constraints[0].max_length if s.name == "birthdate"]) == "10" && aws_cognito_user_pool.this.alias_attributes == toset(["email", "phone_number"])
    error_message = "An attribute is not as Cognito has it, so that every plan finds a difference."
  }
  assert {
    condition     = length(aws_cognito_user_pool.this.user_attribute_update_settings) == 0
    error_message = "Something is to be verified before it is changed, and nothing is ever verified."
  }
  assert {
    condition     = aws_cognito_user_pool.this.sms_configuration[0].external_id == "sms" && aws_cognito_user_pool.this.email_configuration[0].email_sending_account == "DEVELOPER"
    error_message = "Messages are not sent as asked."
  }
  assert {
    condition     = { for r in aws_cognito_user_pool.this.account_recovery_setting[0].recovery_mechanism : r.name => r.priority } == { verified_phone_number = 1, verified_email = 2 }
    error_message = "The order of recovery is lost."
  }
  assert {
    condition     = aws_cognito_user_pool_client.this["app"].write_attributes == toset(["name"]) && aws_cognito_user_pool_client.this["app"].allowed_oauth_flows_user_pool_client
    error_message = "A setting of the client is not taken over."
  }
}
