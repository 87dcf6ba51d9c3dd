# What is made for variants of docs/poolferry.sample.yaml.

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
  mock_data "aws_cognito_user_pool" {
    defaults = {
      schema_attributes = [
        { name = "sub", attribute_data_type = "String", developer_only_attribute = false, mutable = false, required = true, number_attribute_constraints = [], string_attribute_constraints = [] },
        { name = "identities", attribute_data_type = "String", developer_only_attribute = false, mutable = true, required = false, number_attribute_constraints = [], string_attribute_constraints = [] },
        { name = "cognito:mfa_enabled", attribute_data_type = "String", developer_only_attribute = false, mutable = true, required = false, number_attribute_constraints = [], string_attribute_constraints = [] },
        { name = "email", attribute_data_type = "String", developer_only_attribute = false, mutable = true, required = true, number_attribute_constraints = [], string_attribute_constraints = [] },
        { name = "email_verified", attribute_data_type = "Boolean", developer_only_attribute = false, mutable = true, required = false, number_attribute_constraints = [], string_attribute_constraints = [] },
        { name = "custom:plan", attribute_data_type = "String", developer_only_attribute = false, mutable = true, required = false, number_attribute_constraints = [], string_attribute_constraints = [] },
        { name = "custom:internal_note", attribute_data_type = "String", developer_only_attribute = false, mutable = true, required = false, number_attribute_constraints = [], string_attribute_constraints = [] },
      ]
    }
  }
}

variables {
  configuration     = file("../../../docs/poolferry.sample.yaml")
  target_account_id = "444455556666"
  operator_arn      = "arn:aws:iam::444455556666:role/operators/poolferry"
}

run "what_is_dropped_is_not_read" {
  command = plan
  variables {
    source_attributes = ["email", "custom:plan", "custom:internal_note", "name"]
  }

  assert {
    condition     = output.read_attributes == toset(["email", "custom:plan", "name"])
    error_message = "Attributes by name: ${join(", ", output.read_attributes)}"
  }
}

run "copies_win_over_drops" {
  command = plan
  variables {
    configuration     = replace(var.configuration, "- copy: {from: email,", "- copy: {from: \"custom:internal_note\",")
    source_attributes = ["email", "custom:internal_note"]
  }

  assert {
    condition     = output.read_attributes == toset(["email", "custom:internal_note"])
    error_message = "What a rule copies is not read: ${join(", ", output.read_attributes)}"
  }
}

run "no_mapping_reads_everything" {
  command = plan
  variables {
    configuration     = replace(var.configuration, "/(?s)mapping:.*lower: email\n/", "")
    source_attributes = ["sub", "email", "custom:internal_note"]
  }

  assert {
    condition     = output.read_attributes == toset(["email", "custom:internal_note"])
    error_message = "Without rules: ${join(", ", output.read_attributes)}"
  }
}

run "second_factors_only_for_verify" {
  command = plan
  variables {
    configuration = replace(var.configuration, "mfa_policy: verify", "mfa_policy: reset")
  }

  assert {
    condition     = length(aws_iam_role_policy.login_mfa) == 0
    error_message = "The login role may answer challenges that nobody answers."
  }
}

run "roles_in_a_path" {
  command = plan
  variables {
    configuration = replace(var.configuration, ":role/poolferry-login", ":role/apps/migration/poolferry-login")
  }

  assert {
    condition     = aws_iam_role.login.path == "/apps/migration/" && aws_iam_role.login.name == "poolferry-login"
    error_message = "${aws_iam_role.login.path} ${aws_iam_role.login.name}"
  }
}

run "another_partition" {
  command = plan
  variables {
    configuration = replace(replace(var.configuration, "arn:aws:", "arn:aws-cn:"), "us-east-1", "cn-north-1")
    operator_arn  = "arn:aws-cn:iam::444455556666:user/operator"
  }
  override_data {
    target = data.aws_partition.this
    values = { partition = "aws-cn", dns_suffix = "amazonaws.com.cn" }
  }
  override_data {
    target = data.aws_region.this
    values = { name = "cn-north-1" }
  }

  assert {
    condition     = !strcontains("${aws_iam_role.login.assume_role_policy}${aws_iam_role.export.assume_role_policy}${aws_iam_role_policy.export.policy}", "arn:aws:")
    error_message = "An ARN is of the wrong partition."
  }
}
