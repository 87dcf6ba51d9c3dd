# Every validation refuses what it is for. Each run changes one thing of a set that
# is accepted.

mock_provider "aws" {}

variables {
  name        = "customers"
  phase       = "migrating"
  trigger_arn = "arn:aws:lambda:eu-west-1:444455556666:function:poolferry-2026-11-prod-migrate-user:live"
  clients     = { app = {} }
}

run "accepts_the_rest" {
  command = plan
}

run "refuses_an_empty_name" {
  command = plan
  variables {
    name = ""
  }

  expect_failures = [var.name]
}

run "refuses_another_phase" {
  command = plan
  variables {
    phase = "done"
  }

  expect_failures = [var.phase]
}

run "refuses_a_trigger_without_an_alias" {
  command = plan
  variables {
    trigger_arn = "arn:aws:lambda:eu-west-1:444455556666:function:x"
  }

  expect_failures = [var.trigger_arn]
}

run "refuses_another_tier" {
  command = plan
  variables {
    tier = "FREE"
  }

  expect_failures = [var.tier]
}

run "refuses_a_name_as_username" {
  command = plan
  variables {
    username_attributes = ["name"]
  }

  expect_failures = [var.username_attributes]
}

run "refuses_aliases_beside_username_attributes" {
  command = plan
  variables {
    alias_attributes = ["email"]
  }

  expect_failures = [var.alias_attributes]
}

run "refuses_a_required_custom_attribute" {
  command = plan
  variables {
    required_attributes = ["custom:plan"]
  }

  expect_failures = [var.required_attributes]
}

run "refuses_a_prefixed_attribute" {
  command = plan
  variables {
    custom_attributes = [{ name = "custom:plan" }]
  }

  expect_failures = [var.custom_attributes]
}

run "refuses_an_unknown_type" {
  command = plan
  variables {
    custom_attributes = [{ name = "plan", type = "Text" }]
  }

  expect_failures = [var.custom_attributes]
}

run "refuses_legacy_sub_twice" {
  command = plan
  variables {
    custom_attributes = [{ name = "legacy_sub" }]
  }

  expect_failures = [var.custom_attributes]
}

run "refuses_an_attribute_twice" {
  command = plan
  variables {
    custom_attributes = [{ name = "plan" }, { name = "plan" }]
  }

  expect_failures = [var.custom_attributes]
}

run "refuses_fifty_beside_legacy_sub" {
  command = plan
  variables {
    custom_attributes = [for i in range(50) : { name = "a${i}" }]
  }

  expect_failures = [var.custom_attributes]
}

run "refuses_a_length_above_2048" {
  command = plan
  variables {
    custom_attributes = [{ name = "plan", max_length = 4096 }]
  }

  expect_failures = [var.custom_attributes]
}

run "refuses_a_password_of_five" {
  command = plan
  variables {
    password_policy = { minimum_length = 5 }
  }

  expect_failures = [var.password_policy]
}

run "refuses_a_history_of_25" {
  command = plan
  variables {
    password_policy = { password_history_size = 25 }
  }

  expect_failures = [var.password_policy]
}

run "refuses_temporary_passwords_for_years" {
  command = plan
  variables {
    password_policy = { temporary_password_valid_days = 366 }
  }

  expect_failures = [var.password_policy]
}

run "refuses_other_second_factors" {
  command = plan
  variables {
    mfa = { configuration = "YES" }
  }

  expect_failures = [var.mfa]
}

run "refuses_second_factors_without_a_factor" {
  command = plan
  variables {
    mfa = { software_token = false }
  }

  expect_failures = [var.mfa]
}

run "refuses_sms_without_a_role" {
  command = plan
  variables {
    sms = { role_arn = "x", external_id = "y" }
  }

  expect_failures = [var.sms]
}

run "refuses_an_address_as_identity" {
  command = plan
  variables {
    email = { source_arn = "ann@example.com" }
  }

  expect_failures = [var.email]
}

run "refuses_verifying_a_name" {
  command = plan
  variables {
    auto_verified_attributes = ["name"]
  }

  expect_failures = [var.auto_verified_attributes]
}

run "refuses_no_recovery" {
  command = plan
  variables {
    recovery = []
  }

  expect_failures = [var.recovery]
}

run "refuses_unknown_recovery" {
  command = plan
  variables {
    recovery = ["verified_name"]
  }

  expect_failures = [var.recovery]
}

run "refuses_admin_only_beside_others" {
  command = plan
  variables {
    recovery = ["admin_only", "verified_email"]
  }

  expect_failures = [var.recovery]
}

run "refuses_other_threat_protection" {
  command = plan
  variables {
    tier              = "PLUS"
    threat_protection = "ON"
  }

  expect_failures = [var.threat_protection]
}

run "refuses_threat_protection_below_plus" {
  command = plan
  variables {
    threat_protection = "AUDIT"
  }

  expect_failures = [var.threat_protection]
}

run "refuses_a_message_without_a_code" {
  command = plan
  variables {
    messages = { email_text = "Welcome" }
  }

  expect_failures = [var.messages]
}

run "refuses_a_trigger_that_is_none" {
  command = plan
  variables {
    other_triggers = { pre_sign_up = "x" }
  }

  expect_failures = [var.other_triggers]
}

run "refuses_no_client" {
  command = plan
  variables {
    clients = {}
  }

  expect_failures = [var.clients]
}

run "refuses_a_client_that_writes_legacy_sub" {
  command = plan
  variables {
    clients = { app = { write = ["email", "custom:legacy_sub"] } }
  }

  expect_failures = [var.clients]
}

run "refuses_tokens_of_a_week" {
  command = plan
  variables {
    clients = { app = { access_token_minutes = 10080 } }
  }

  expect_failures = [var.clients]
}

run "refuses_oauth_without_callbacks" {
  command = plan
  variables {
    clients = { app = { oauth_flows = ["code"], oauth_scopes = ["openid"] } }
  }

  expect_failures = [var.clients]
}

run "refuses_a_name_as_alias" {
  command = plan
  variables {
    username_attributes = []
    alias_attributes    = ["name"]
  }

  expect_failures = [var.alias_attributes]
}

run "refuses_a_guard_without_an_alias" {
  command = plan
  variables {
    guard_arn = "arn:aws:lambda:eu-west-1:444455556666:function:x"
  }

  expect_failures = [var.guard_arn]
}

run "refuses_a_welcome_without_an_alias" {
  command = plan
  variables {
    welcome_arn = "arn:aws:lambda:eu-west-1:444455556666:function:x"
  }

  expect_failures = [var.welcome_arn]
}

run "refuses_a_claim_without_an_alias" {
  command = plan
  variables {
    claim_arn = "arn:aws:lambda:eu-west-1:444455556666:function:x"
  }

  expect_failures = [var.claim_arn]
}

run "refuses_two_triggers_for_pre_sign_up" {
  command = plan
  variables {
    guard_arn      = "arn:aws:lambda:eu-west-1:444455556666:function:poolferry-2026-11-prod-guard-signup:live"
    other_triggers = { pre_sign_up = "arn:aws:lambda:eu-west-1:444455556666:function:x" }
  }

  expect_failures = [var.guard_arn]
}

run "refuses_two_triggers_for_post_authentication" {
  command = plan
  variables {
    welcome_arn    = "arn:aws:lambda:eu-west-1:444455556666:function:poolferry-2026-11-prod-welcome-user:live"
    other_triggers = { post_authentication = "arn:aws:lambda:eu-west-1:444455556666:function:x" }
  }

  expect_failures = [var.welcome_arn]
}

run "refuses_two_triggers_for_pre_token_generation" {
  command = plan
  variables {
    claim_arn      = "arn:aws:lambda:eu-west-1:444455556666:function:poolferry-2026-11-prod-legacy-claim:live"
    other_triggers = { pre_token_generation = "arn:aws:lambda:eu-west-1:444455556666:function:x" }
  }

  expect_failures = [var.claim_arn]
}

run "refuses_the_claim_beside_another_after_cut_over" {
  command = plan
  variables {
    phase          = "cut-over"
    claim_arn      = "arn:aws:lambda:eu-west-1:444455556666:function:poolferry-2026-11-prod-legacy-claim:live"
    other_triggers = { pre_token_generation = "arn:aws:lambda:eu-west-1:444455556666:function:x" }
  }

  expect_failures = [var.claim_arn]
}

run "refuses_registrations_that_nobody_guards" {
  command = plan
  variables {
    self_sign_up = true
  }

  expect_failures = [var.self_sign_up]
}
