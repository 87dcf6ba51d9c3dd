# The example as it stands, for its own poolferry.yaml, which has neither clients
# nor pool yet.

mock_provider "aws" {
  alias = "source"

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
        { name = "email", attribute_data_type = "String", developer_only_attribute = false, mutable = true, required = true, number_attribute_constraints = [], string_attribute_constraints = [] },
      ]
    }
  }
  mock_resource "aws_cognito_user_pool_client" {
    defaults = { id = "1example23456789abcdefghij" }
  }
}

mock_provider "aws" {
  alias = "target"

  mock_data "aws_caller_identity" {
    defaults = { account_id = "444455556666" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws", dns_suffix = "amazonaws.com" }
  }
  mock_data "aws_region" {
    defaults = { name = "eu-west-1" }
  }
  mock_resource "aws_cognito_user_pool" {
    defaults = { id = "eu-west-1_ZyXwVu987" }
  }
  mock_resource "aws_cognito_user_pool_client" {
    defaults = { id = "2example23456789abcdefghij" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::444455556666:role/poolferry-2026-11-prod-mock" }
  }
  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:eu-west-1:444455556666:key/00000000-0000-4000-8000-000000000001" }
  }
  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:eu-west-1:444455556666:poolferry-2026-11-prod" }
  }
  mock_resource "aws_sqs_queue" {
    defaults = { arn = "arn:aws:sqs:eu-west-1:444455556666:poolferry-2026-11-prod-schedule-dead-letters" }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:eu-west-1:444455556666:log-group:mock" }
  }
  mock_resource "aws_lambda_alias" {
    defaults = { arn = "arn:aws:lambda:eu-west-1:444455556666:function:poolferry-2026-11-prod-migrate-user:live" }
  }
  mock_resource "aws_sfn_state_machine" {
    defaults = { arn = "arn:aws:states:eu-west-1:444455556666:stateMachine:mock" }
  }
}

variables {
  source_profile = "customers-old"
  target_profile = "customers-new"
  operator_arn   = "arn:aws:iam::444455556666:role/operator"
  secret_arns    = { name_key = "arn:aws:secretsmanager:eu-west-1:444455556666:secret:poolferry/name-key-AbCdEf" }
  packages       = "tests/testdata"
}

run "first_apply" {
  command = apply

  assert {
    condition     = yamldecode(output.configuration).source.client_id == "1example23456789abcdefghij" && yamldecode(output.configuration).target.pool_id == "eu-west-1_ZyXwVu987"
    error_message = "The ids of what was made are not in it: ${output.configuration}"
  }
  assert {
    condition     = yamldecode(output.configuration).cutover.probe_client_id == "2example23456789abcdefghij" && endswith(yamldecode(output.configuration).tail.import_log_role_arn, ":role/poolferry-2026-11-prod-import-log")
    error_message = "The ending does not learn what was made for it: ${output.configuration}"
  }
  assert {
    condition = output.phase == "migrating" && alltrue([
      for place, arn in module.target_account.existing_pool.migrating : endswith(arn, ":live") if contains(["user_migration", "pre_sign_up", "post_authentication"], place)
    ])
    error_message = "It does not begin by migrating."
  }
  assert {
    condition     = output.target_client_ids == { app = "2example23456789abcdefghij" }
    error_message = "The app does not learn its client."
  }
}

run "cut_over_makes_nothing_new" {
  command = plan
  variables {
    phase = "cut-over"
  }

  assert {
    condition     = output.target_pool_id == run.first_apply.target_pool_id && output.target_client_ids == run.first_apply.target_client_ids
    error_message = "Cut-over replaces the pool or a client."
  }
  assert {
    condition     = output.phase == "cut-over" && output.configuration == run.first_apply.configuration
    error_message = "Cut-over gives the functions another configuration."
  }
}
