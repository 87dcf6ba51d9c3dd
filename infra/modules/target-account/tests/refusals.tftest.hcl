# Every validation refuses what it is for. Each run changes one thing of a set that
# is accepted.

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

run "refuses_a_run_too_long_for_roles" {
  command = plan
  variables {
    configuration = replace(var.configuration, "run: 2026-11-prod", "run: abcdefghijklmnopqrstuvwxyz-1234567")
  }

  expect_failures = [var.configuration]
}

run "refuses_no_source_region" {
  command = plan
  variables {
    configuration = replace(var.configuration, "  region: us-east-1", "  region: USA")
  }

  expect_failures = [var.configuration]
}

run "refuses_no_target_region" {
  command = plan
  variables {
    configuration = replace(var.configuration, "  region: eu-west-1", "  zone: eu-west-1")
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

run "refuses_roles_of_another_account" {
  command = plan
  variables {
    configuration = replace(var.configuration, "arn:aws:iam::111122223333:role/poolferry-login", "arn:aws:iam::999999999999:role/poolferry-login")
  }

  expect_failures = [var.configuration]
}

run "refuses_a_bucket_with_a_dot" {
  command = plan
  variables {
    configuration = replace(var.configuration, "bucket: example-poolferry-staging", "bucket: example.poolferry")
  }

  expect_failures = [var.configuration]
}

run "refuses_a_client_secret_of_the_environment" {
  command = plan
  variables {
    configuration = replace(var.configuration, "secretsmanager:POOLFERRY_CLIENT_SECRET", "env:POOLFERRY_CLIENT_SECRET")
  }

  expect_failures = [var.configuration]
}

run "refuses_a_name_key_of_a_file" {
  command = plan
  variables {
    configuration = replace(var.configuration, "secretsmanager:POOLFERRY_NAME_KEY", "file:/etc/key")
  }

  expect_failures = [var.configuration]
}

run "refuses_no_name_key" {
  command = plan
  variables {
    configuration = replace(var.configuration, "name_key:", "names:")
  }

  expect_failures = [var.configuration]
}

run "refuses_no_client" {
  command = plan
  variables {
    configuration = replace(var.configuration, "client_id: 1example23456789abcdefghij", "client: x")
  }

  expect_failures = [var.source_client_id]
}

run "refuses_no_pool" {
  command = plan
  variables {
    configuration = replace(var.configuration, "pool_id: eu-west-1_ZyXwVu987", "pool: x")
  }

  expect_failures = [var.target_pool_id]
}

run "refuses_a_pool_of_another_region" {
  command = plan
  variables {
    configuration = replace(var.configuration, "pool_id: eu-west-1_ZyXwVu987", "pool_id: eu-west-2_ZyXwVu987")
  }

  expect_failures = [var.target_pool_id]
}

run "refuses_no_secret" {
  command = plan
  variables {
    secret_arns = {}
  }

  expect_failures = [var.secret_arns]
}

run "refuses_a_secret_by_name" {
  command = plan
  variables {
    secret_arns = { name_key = "poolferry/name-key" }
  }

  expect_failures = [var.secret_arns]
}

run "refuses_a_secret_of_anything" {
  command = plan
  variables {
    secret_arns = { name_key = "arn:aws:secretsmanager:eu-west-1:444455556666:secret:*" }
  }

  expect_failures = [var.secret_arns]
}

run "refuses_an_alias_of_a_key" {
  command = plan
  variables {
    secret_key_arns = { own = "arn:aws:kms:eu-west-1:444455556666:alias/own" }
  }

  expect_failures = [var.secret_key_arns]
}

run "refuses_another_architecture" {
  command = plan
  variables {
    architecture = "x86_64"
  }

  expect_failures = [var.architecture]
}

run "refuses_a_trigger_that_never_runs" {
  command = plan
  variables {
    trigger = { reserved_concurrency = 0 }
  }

  expect_failures = [var.trigger]
}

run "refuses_more_warm_than_reserved" {
  command = plan
  variables {
    trigger = { reserved_concurrency = 2, provisioned_concurrency = 3 }
  }

  expect_failures = [var.trigger]
}

run "refuses_negative_warmth" {
  command = plan
  variables {
    trigger = { provisioned_concurrency = -1 }
  }

  expect_failures = [var.trigger]
}

run "refuses_a_schedule_that_runs_once" {
  command = plan
  variables {
    schedule = { expression = "at(2026-11-21T03:00:00)" }
  }

  expect_failures = [var.schedule]
}

run "refuses_a_cron_of_five_fields" {
  command = plan
  variables {
    schedule = { expression = "cron(0 3 * * ?)" }
  }

  expect_failures = [var.schedule]
}

run "refuses_a_window_of_two_days" {
  command = plan
  variables {
    schedule = { flexible_window = 2880 }
  }

  expect_failures = [var.schedule]
}

run "refuses_an_address_that_is_none" {
  command = plan
  variables {
    alarm_emails = ["on-call"]
  }

  expect_failures = [var.alarm_emails]
}

run "refuses_a_retention_that_cloudwatch_lacks" {
  command = plan
  variables {
    log_retention_days = 100
  }

  expect_failures = [var.log_retention_days]
}

run "refuses_a_manifest_of_a_week" {
  command = plan
  variables {
    staging_retention_days = 7
  }

  expect_failures = [var.staging_retention_days]
}

run "refuses_half_a_day" {
  command = plan
  variables {
    staging_retention_days = 90.5
  }

  expect_failures = [var.staging_retention_days]
}

run "refuses_a_key_deleted_at_once" {
  command = plan
  variables {
    key_deletion_days = 1
  }

  expect_failures = [var.key_deletion_days]
}

run "refuses_a_network_without_subnets" {
  command = plan
  variables {
    network = { vpc_id = "vpc-0123456789abcdef0", subnet_ids = [], create_endpoints = false }
  }

  expect_failures = [var.network]
}

run "refuses_a_network_that_is_none" {
  command = plan
  variables {
    network = { vpc_id = "main", subnet_ids = ["subnet-1"], create_endpoints = false }
  }

  expect_failures = [var.network]
}

run "refuses_endpoints_without_routes" {
  command = plan
  variables {
    network = { vpc_id = "vpc-0123456789abcdef0", subnet_ids = ["subnet-1"] }
  }

  expect_failures = [var.network]
}

run "refuses_a_boundary_that_is_none" {
  command = plan
  variables {
    permissions_boundary_arn = "arn:aws:iam::444455556666:role/x"
  }

  expect_failures = [var.permissions_boundary_arn]
}

run "refuses_a_provider_of_another_region" {
  command = plan
  override_data {
    target = data.aws_region.this
    values = { name = "eu-west-2" }
  }

  expect_failures = [aws_lambda_permission.target_pool]
}

run "refuses_a_role_of_a_group_that_is_none" {
  command = plan
  variables {
    configuration = yamlencode(merge(yamldecode(replace(file("../../../docs/poolferry.sample.yaml"), "env:POOLFERRY", "secretsmanager:POOLFERRY")), {
      settle = { groups = { roles = [{ group = "editors", role_arn = "editors" }] } }
    }))
  }

  expect_failures = [var.configuration]
}

run "refuses_a_name_key_under_another_name" {
  command = plan
  variables {
    secret_arns = { key = "arn:aws:secretsmanager:eu-west-1:444455556666:secret:poolferry/name-key-AbCdEf" }
  }

  expect_failures = [var.secret_arns]
}

run "refuses_a_welcome_that_never_runs" {
  command = plan
  variables {
    welcome = { reserved_concurrency = 0 }
  }

  expect_failures = [var.welcome]
}

run "refuses_a_probe_without_a_client" {
  command = plan
  variables {
    configuration = replace(var.configuration, "/  probe_client_id: .*/", "")
  }

  expect_failures = [var.probe_client_id]
}

run "refuses_a_role_of_sms_that_is_none" {
  command = plan
  variables {
    target_sms_role_arn = "arn:aws:iam::444455556666:role/*"
  }

  expect_failures = [var.target_sms_role_arn]
}
