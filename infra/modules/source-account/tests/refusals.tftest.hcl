# Every validation refuses what it is for. Each run changes one thing of a set that
# is accepted.

mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "111122223333" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws", dns_suffix = "amazonaws.com" }
  }
  mock_data "aws_region" {
    defaults = { name = "us-east-1" }
  }
}

variables {
  configuration     = file("../../../docs/poolferry.sample.yaml")
  target_account_id = "444455556666"
  operator_arn      = "arn:aws:iam::444455556666:role/operator"
  source_attributes = ["email"]
}

run "accepts_the_sample" {
  command = plan
}

run "refuses_what_is_not_yaml" {
  command = plan
  variables {
    configuration = "\""
  }

  expect_failures = [var.configuration]
}

run "refuses_another_version" {
  command = plan
  variables {
    configuration = replace(var.configuration, "version: 1", "version: 2")
  }

  expect_failures = [var.configuration]
}

run "refuses_no_run" {
  command = plan
  variables {
    configuration = replace(var.configuration, "run: 2026-11-prod", "runs: 1")
  }

  expect_failures = [var.configuration]
}

run "refuses_a_run_too_long_for_roles" {
  command = plan
  variables {
    configuration = replace(var.configuration, "run: 2026-11-prod", "run: abcdefghijklmnopqrstuvwxyz-1234567")
  }

  expect_failures = [var.configuration]
}

run "refuses_an_upper_case_run" {
  command = plan
  variables {
    configuration = replace(var.configuration, "run: 2026-11-prod", "run: Prod")
  }

  expect_failures = [var.configuration]
}

run "refuses_no_region" {
  command = plan
  variables {
    configuration = replace(var.configuration, "us-east-1", "usa")
  }

  expect_failures = [var.configuration]
}

run "refuses_a_short_account" {
  command = plan
  variables {
    configuration = replace(var.configuration, "account: \"111122223333\"", "account: \"1111\"")
  }

  expect_failures = [var.configuration]
}

run "refuses_a_malformed_pool_id" {
  command = plan
  variables {
    configuration = replace(var.configuration, "pool_id: us-east-1_AbCdEf123", "pool_id: nope")
  }

  expect_failures = [var.configuration]
}

run "refuses_a_pool_of_another_region" {
  command = plan
  variables {
    configuration = replace(var.configuration, "pool_id: us-east-1_AbCdEf123", "pool_id: us-west-2_AbCdEf123")
  }

  expect_failures = [var.configuration]
}

run "refuses_roles_of_another_account" {
  command = plan
  variables {
    configuration = replace(var.configuration, "arn:aws:iam::111122223333:role/poolferry-login", "arn:aws:iam::999999999999:role/poolferry-login")
  }

  expect_failures = [var.configuration]
}

run "refuses_no_export_role" {
  command = plan
  variables {
    configuration = replace(var.configuration, "export_role_arn:", "exports:")
  }

  expect_failures = [var.configuration]
}

run "refuses_one_role_for_both" {
  command = plan
  variables {
    configuration = replace(var.configuration, "role/poolferry-export", "role/poolferry-login")
  }

  expect_failures = [var.configuration]
}

run "refuses_an_external_id_with_blanks" {
  command = plan
  variables {
    configuration = replace(var.configuration, "external_id: poolferry-2026-11-prod", "external_id: pool ferry")
  }

  expect_failures = [var.configuration]
}

run "refuses_an_external_id_of_1225" {
  command = plan
  variables {
    configuration = replace(var.configuration, "external_id: poolferry-2026-11-prod", format("external_id: x%01224d", 0))
  }

  expect_failures = [var.configuration]
}

run "refuses_an_unknown_mfa_policy" {
  command = plan
  variables {
    configuration = replace(var.configuration, "mfa_policy: verify", "mfa_policy: ignore")
  }

  expect_failures = [var.configuration]
}

run "refuses_rules_that_are_none" {
  command = plan
  variables {
    configuration = replace(var.configuration, "- lower: email", "- lower")
  }

  expect_failures = [var.configuration]
}

run "refuses_a_short_target_account" {
  command = plan
  variables {
    target_account_id = "4444"
  }

  expect_failures = [var.target_account_id]
}

run "refuses_an_operator_of_another_account" {
  command = plan
  variables {
    operator_arn = "arn:aws:iam::999999999999:role/operator"
  }

  expect_failures = [var.operator_arn]
}

run "refuses_a_session_as_operator" {
  command = plan
  variables {
    operator_arn = "arn:aws:sts::444455556666:assumed-role/operator/ann"
  }

  expect_failures = [var.operator_arn]
}

run "refuses_everybody_as_operator" {
  command = plan
  variables {
    operator_arn = "arn:aws:iam::444455556666:role/*"
  }

  expect_failures = [var.operator_arn]
}

run "refuses_no_attributes" {
  command = plan
  variables {
    source_attributes = []
  }

  expect_failures = [var.source_attributes]
}

run "refuses_an_attribute_with_a_blank" {
  command = plan
  variables {
    source_attributes = ["first name"]
  }

  expect_failures = [var.source_attributes]
}

run "refuses_a_boundary_that_is_none" {
  command = plan
  variables {
    permissions_boundary_arn = "arn:aws:iam::111122223333:role/x"
  }

  expect_failures = [var.permissions_boundary_arn]
}

run "refuses_credentials_of_another_account" {
  command = plan
  override_data {
    target = data.aws_caller_identity.this
    values = { account_id = "999999999999" }
  }

  expect_failures = [aws_iam_role.login]
}

run "refuses_a_provider_of_another_region" {
  command = plan
  override_data {
    target = data.aws_region.this
    values = { name = "us-west-2" }
  }

  expect_failures = [aws_cognito_user_pool_client.migration]
}

run "refuses_a_mapping_that_drops_everything" {
  command = plan
  variables {
    source_attributes = ["sub", "custom:internal_note"]
  }

  expect_failures = [aws_cognito_user_pool_client.migration]
}
