# What is made for docs/poolferry.sample.yaml. go test ./infra reads each policy and
# alarm of it.

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

run "makes_the_sample" {
  command = apply

  assert {
    condition     = aws_iam_role.login.name == "poolferry-login" && aws_iam_role.export.name == "poolferry-export"
    error_message = "The roles do not have the names that the configuration knows."
  }
  assert {
    condition = jsondecode(aws_iam_role.login.assume_role_policy).Statement[0].Condition == {
      StringEquals = { "sts:ExternalId" = "poolferry-2026-11-prod" }
      ArnEquals    = { "aws:PrincipalArn" = "arn:aws:iam::444455556666:role/poolferry-2026-11-prod-migrate-user" }
    }
    error_message = "The login role trusts somebody else: ${aws_iam_role.login.assume_role_policy}"
  }
  assert {
    condition = jsondecode(aws_iam_role.export.assume_role_policy).Statement[0].Condition.ArnEquals["aws:PrincipalArn"] == [
      "arn:aws:iam::444455556666:role/poolferry-2026-11-prod-plan-seeding",
      "arn:aws:iam::444455556666:role/poolferry-2026-11-prod-seed-batch",
      "arn:aws:iam::444455556666:role/poolferry-2026-11-prod-close-seeding",
      "arn:aws:iam::444455556666:role/operators/poolferry",
    ]
    error_message = "The export role trusts somebody else: ${aws_iam_role.export.assume_role_policy}"
  }
  assert {
    condition = alltrue([
      for policy in [aws_iam_role_policy.login.policy, aws_iam_role_policy.login_mfa[0].policy, aws_iam_role_policy.export.policy] :
      alltrue([for s in jsondecode(policy).Statement : s.Resource == "arn:aws:cognito-idp:us-east-1:111122223333:userpool/us-east-1_AbCdEf123"])
    ])
    error_message = "A policy reaches further than the source pool."
  }
  assert {
    condition     = aws_cognito_user_pool_client.migration.read_attributes == toset(["email", "email_verified", "custom:plan"])
    error_message = "The client's tokens do not hold what the mapping reads: ${join(", ", aws_cognito_user_pool_client.migration.read_attributes)}"
  }
  assert {
    condition     = aws_cognito_user_pool_client.migration.explicit_auth_flows == toset(["ALLOW_ADMIN_USER_PASSWORD_AUTH"]) && aws_cognito_user_pool_client.migration.generate_secret == false
    error_message = "The client allows more than the trigger needs."
  }
  assert {
    condition     = output.client_id == aws_cognito_user_pool_client.migration.id && output.login_role_arn == aws_iam_role.login.arn && output.export_role_arn == aws_iam_role.export.arn
    error_message = "The outputs are not what poolferry.yaml needs."
  }
}
