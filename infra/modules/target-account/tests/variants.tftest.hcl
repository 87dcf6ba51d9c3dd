# What is made for variants of docs/poolferry.sample.yaml.

mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "444455556666" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws", dns_suffix = "amazonaws.com" }
  }
  mock_data "aws_region" {
    defaults = { name = "eu-west-1" }
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
  configuration = replace(file("../../../docs/poolferry.sample.yaml"), "env:POOLFERRY", "secretsmanager:POOLFERRY")
  secret_arns   = { name_key = "arn:aws:secretsmanager:eu-west-1:444455556666:secret:poolferry/name-key-AbCdEf" }
  packages      = "tests/testdata"
}

run "ids_that_terraform_made_win" {
  command = plan
  variables {
    source_client_id = "made"
    target_pool_id   = "eu-west-1_Made"
    probe_client_id  = "probing"
  }

  # The file still has the others.
  expect_failures = [check.configuration_agrees]

  assert {
    condition     = yamldecode(output.configuration).source.client_id == "made" && yamldecode(output.configuration).target.pool_id == "eu-west-1_Made" && yamldecode(output.configuration).mapping == yamldecode(var.configuration).mapping
    error_message = "The functions get another configuration: ${output.configuration}"
  }
  assert {
    condition     = yamldecode(output.configuration).cutover == merge(yamldecode(var.configuration).cutover, { probe_client_id = "probing" })
    error_message = "The probe would sign in through another client: ${output.configuration}"
  }
  assert {
    condition     = alltrue([for permission in aws_lambda_permission.target_pool : endswith(permission.source_arn, ":userpool/eu-west-1_Made")])
    error_message = "Another pool may call a trigger: ${join(", ", values(aws_lambda_permission.target_pool)[*].source_arn)}"
  }
}

run "in_a_network" {
  command = plan
  variables {
    network = { vpc_id = "vpc-0123456789abcdef0", subnet_ids = ["subnet-1", "subnet-2"], route_table_ids = ["rtb-1"] }
  }

  assert {
    condition     = toset([for endpoint in aws_vpc_endpoint.interface : endpoint.service_name]) == toset(["com.amazonaws.eu-west-1.sts", "com.amazonaws.eu-west-1.cognito-idp", "com.amazonaws.eu-west-1.secretsmanager", "com.amazonaws.eu-west-1.logs"]) && aws_vpc_endpoint.s3[0].vpc_endpoint_type == "Gateway"
    error_message = "An endpoint is missing."
  }
  assert {
    condition     = alltrue([for endpoint in aws_vpc_endpoint.interface : endpoint.private_dns_enabled && endpoint.subnet_ids == toset(["subnet-1", "subnet-2"])])
    error_message = "Functions do not find an endpoint."
  }
}

run "in_a_network_that_has_its_endpoints" {
  command = plan
  variables {
    network = { vpc_id = "vpc-0123456789abcdef0", subnet_ids = ["subnet-1"], create_endpoints = false }
  }

  assert {
    condition     = length(aws_vpc_endpoint.interface) + length(aws_vpc_endpoint.s3) + length(aws_security_group.endpoints) == 0 && length(aws_security_group.functions) == 1
    error_message = "Endpoints are made twice."
  }
}

run "in_a_small_account" {
  command = apply
  variables {
    reserve_concurrency = false
    trigger             = { reserved_concurrency = null }
    welcome             = { reserved_concurrency = null }
    schedule            = { expression = "cron(0 3 * * ? *)", timezone = "Europe/Berlin", flexible_window = 0 }
  }

  assert {
    condition     = aws_scheduler_schedule.reconcile.flexible_time_window[0].mode == "OFF" && aws_scheduler_schedule.reconcile.flexible_time_window[0].maximum_window_in_minutes == null && aws_scheduler_schedule.reconcile.schedule_expression_timezone == "Europe/Berlin"
    error_message = "The schedule is not the one asked for."
  }
}

run "groups_get_roles" {
  command = plan
  variables {
    configuration = yamlencode(merge(yamldecode(replace(file("../../../docs/poolferry.sample.yaml"), "env:POOLFERRY", "secretsmanager:POOLFERRY")), {
      settle = { groups = { roles = [
        { group = "editors", role_arn = "arn:aws:iam::444455556666:role/editors" },
        { group = "staff", role_arn = "arn:aws:iam::444455556666:role/path/staff,readers" },
        { group = "writers", role_arn = "arn:aws:iam::444455556666:role/editors" },
      ] } }
    }))
  }

  assert {
    condition     = jsondecode(local.role_policies["settle-roles"]).Statement[0].Resource == ["arn:aws:iam::444455556666:role/editors", "arn:aws:iam::444455556666:role/path/staff,readers"]
    error_message = "Roles of groups cannot be passed on, or others can: ${local.role_policies["settle-roles"]}"
  }
  assert {
    condition     = contains(keys(local.more_policies.settle-users), "settle-roles") && contains(keys(local.more_policies.welcome-user), "settle-roles")
    error_message = "Who makes groups cannot give them their roles."
  }
}

run "without_a_probe_or_sms" {
  command = apply
  variables {
    configuration   = yamlencode({ for key, value in yamldecode(replace(file("../../../docs/poolferry.sample.yaml"), "env:POOLFERRY", "secretsmanager:POOLFERRY")) : key => value if key != "cutover" })
    probe_client_id = "probing"
  }

  assert {
    condition     = !contains(keys(yamldecode(output.configuration)), "cutover")
    error_message = "A probe that nobody wants has a client, and no name: ${output.configuration}"
  }
  assert {
    condition     = alltrue([for statement in jsondecode(output.operator_policy).Statement : !strcontains(jsonencode(statement.Action), "iam:")])
    error_message = "Who runs the command line tool may pass roles on: ${output.operator_policy}"
  }
}

run "the_guard_gets_one_secret" {
  command = plan
  variables {
    secret_arns = {
      name_key      = "arn:aws:secretsmanager:eu-west-1:444455556666:secret:poolferry/name-key-AbCdEf"
      client_secret = "arn:aws:secretsmanager:eu-west-1:444455556666:secret:poolferry/client-secret-AbCdEf"
    }
    secret_key_arns = { ours = "arn:aws:kms:eu-west-1:444455556666:key/00000000-0000-4000-8000-000000000003" }
  }

  assert {
    condition     = keys(local.more_policies.guard-signup) == ["secret-key-ours", "secret-name_key"] && keys(local.more_policies.migrate-user) == ["secret-client_secret", "secret-key-ours", "secret-name_key"]
    error_message = "guard-signup can read the secret of the source's app client, or not the key of the audit trail."
  }
}

run "another_role_of_import_logs" {
  command = plan
  variables {
    configuration = yamlencode(merge(yamldecode(replace(file("../../../docs/poolferry.sample.yaml"), "env:POOLFERRY", "secretsmanager:POOLFERRY")), {
      tail = { import_log_role_arn = "arn:aws:iam::444455556666:role/other" }
    }))
  }

  expect_failures = [check.configuration_agrees]

  assert {
    condition     = yamldecode(output.configuration).tail.import_log_role_arn == "arn:aws:iam::444455556666:role/poolferry-2026-11-prod-import-log"
    error_message = "import-tail may not pass on the role that it is told."
  }
}

run "in_another_partition" {
  command = apply
  variables {
    configuration = replace(replace(replace(var.configuration, "arn:aws:", "arn:aws-cn:"), "us-east-1", "cn-north-1"), "eu-west-1", "cn-northwest-1")
    secret_arns   = { name_key = "arn:aws-cn:secretsmanager:cn-northwest-1:444455556666:secret:k-AbCdEf" }
  }
  override_data {
    target = data.aws_partition.this
    values = { partition = "aws-cn", dns_suffix = "amazonaws.com.cn" }
  }
  override_data {
    target = data.aws_region.this
    values = { name = "cn-northwest-1" }
  }

  assert {
    condition     = startswith(output.trigger_arn, "arn:aws-cn:lambda:cn-northwest-1:444455556666:") && alltrue([for permission in aws_lambda_permission.target_pool : startswith(permission.source_arn, "arn:aws-cn:cognito-idp:cn-northwest-1:")])
    error_message = "An ARN is of the wrong partition or region."
  }
  assert {
    condition     = jsondecode(aws_kms_key.operations.policy).Statement[1].Principal.Service == "logs.cn-northwest-1.amazonaws.com.cn" && !strcontains("${aws_kms_key.operations.policy}${aws_kms_key.staging.policy}${aws_s3_bucket_policy.staging.policy}", "arn:aws:s3")
    error_message = "A policy is of the wrong partition."
  }
}
