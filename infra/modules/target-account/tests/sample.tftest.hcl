# What is made for docs/poolferry.sample.yaml. go test ./infra reads each policy and
# alarm of it.

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

run "makes_the_sample" {
  command = apply
  variables {
    alarm_emails        = ["on-call@example.com"]
    target_sms_role_arn = "arn:aws:iam::444455556666:role/sms"
  }

  # The triggers and who may call them.
  assert {
    condition = toset(keys(aws_lambda_permission.target_pool)) == toset(["migrate-user", "guard-signup", "welcome-user", "legacy-claim"]) && alltrue([
      for name, permission in aws_lambda_permission.target_pool : alltrue([
        permission.principal == "cognito-idp.amazonaws.com",
        permission.action == "lambda:InvokeFunction",
        permission.function_name == "poolferry-2026-11-prod-${name}",
        permission.qualifier == "live",
        permission.source_arn == "arn:aws:cognito-idp:eu-west-1:444455556666:userpool/eu-west-1_ZyXwVu987",
        permission.source_account == "444455556666",
      ])
    ])
    error_message = "Somebody else may call a trigger, or the target pool may not."
  }
  assert {
    condition     = output.trigger_arn == "arn:aws:lambda:eu-west-1:444455556666:function:poolferry-2026-11-prod-migrate-user:live" && output.trigger_arn == module.function["migrate-user"].alias_arn
    error_message = "The pool would call something else: ${output.trigger_arn}"
  }
  assert {
    condition     = [for arn in [output.guard_arn, output.welcome_arn, output.claim_arn] : trimprefix(arn, "arn:aws:lambda:eu-west-1:444455556666:function:poolferry-2026-11-prod-")] == ["guard-signup:live", "welcome-user:live", "legacy-claim:live"]
    error_message = "The pool would call something else: ${output.guard_arn}, ${output.welcome_arn}, ${output.claim_arn}"
  }
  assert {
    condition     = alltrue([for name in local.triggers : module.function[name].alias_arn != null]) && alltrue([for name, function in module.function : function.alias_arn == null if !contains(local.triggers, name)])
    error_message = "A function that the pool calls has no alias, or another one has."
  }
  assert {
    condition = alltrue([for phase in ["migrating", "cut-over"] : alltrue([
      output.existing_pool[phase].pre_token_generation_config.lambda_arn == output.claim_arn,
      (phase == "migrating") == (output.existing_pool[phase].user_migration == output.trigger_arn),
      (phase == "migrating") == (output.existing_pool[phase].pre_sign_up == output.guard_arn),
      (phase == "migrating") == (output.existing_pool[phase].post_authentication == output.welcome_arn),
    ])])
    error_message = "A pool of another state would have triggers after cut-over, or none before."
  }

  # The import of the tail.
  assert {
    condition     = aws_iam_role.import_log.name == "poolferry-2026-11-prod-import-log" && yamldecode(output.configuration).tail.import_log_role_arn == "arn:aws:iam::444455556666:role/poolferry-2026-11-prod-import-log"
    error_message = "Import jobs are given another role than the one that is made."
  }

  # The state machines.
  assert {
    condition     = alltrue([for m in aws_sfn_state_machine.this : can(jsondecode(m.definition).States) && !strcontains(m.definition, "$${")])
    error_message = "A definition has a placeholder left or is not JSON."
  }
  assert {
    condition     = { for name, m in aws_sfn_state_machine.this : m.name => m.type } == { "poolferry-2026-11-prod-preseed" = "EXPRESS", "poolferry-2026-11-prod-reconcile" = "STANDARD", "poolferry-2026-11-prod-tail" = "STANDARD" }
    error_message = "The state machines are not those that the command line tool starts."
  }
  assert {
    condition     = alltrue([for m in aws_sfn_state_machine.this : m.logging_configuration[0].level == "ERROR" && m.logging_configuration[0].include_execution_data == false && endswith(m.logging_configuration[0].log_destination, ":*")])
    error_message = "Failures of a state machine are not logged, or its data is."
  }
  assert {
    condition     = alltrue([for name, group in aws_cloudwatch_log_group.machine : group.name == "/aws/vendedlogs/states/poolferry-2026-11-prod-${name}" && group.retention_in_days == 365 && group.kms_key_id != null])
    error_message = "A log group of a state machine is not as it should be."
  }

  # The schedule.
  assert {
    condition = alltrue([
      aws_scheduler_schedule.reconcile.name == "poolferry-2026-11-prod-reconcile",
      aws_scheduler_schedule.reconcile.group_name == "default",
      jsondecode(aws_scheduler_schedule.reconcile.target[0].input) == { run = "2026-11-prod" },
      aws_scheduler_schedule.reconcile.target[0].dead_letter_config[0].arn == aws_sqs_queue.dead_letters.arn,
      aws_scheduler_schedule.reconcile.target[0].retry_policy[0].maximum_retry_attempts == 5,
      aws_scheduler_schedule.reconcile.start_date == null && aws_scheduler_schedule.reconcile.end_date == null && aws_scheduler_schedule.reconcile.kms_key_arn == null,
    ])
    error_message = "The schedule is not one that starts reconciliations, keeps what it could not start, and can be switched off by the last of them."
  }

  # The staging bucket.
  assert {
    condition = alltrue([
      aws_s3_bucket.staging.bucket == "example-poolferry-staging" && !aws_s3_bucket.staging.force_destroy,
      aws_s3_bucket_public_access_block.staging.block_public_acls && aws_s3_bucket_public_access_block.staging.block_public_policy,
      aws_s3_bucket_public_access_block.staging.ignore_public_acls && aws_s3_bucket_public_access_block.staging.restrict_public_buckets,
      aws_s3_bucket_ownership_controls.staging.rule[0].object_ownership == "BucketOwnerEnforced",
      aws_s3_bucket_versioning.staging.versioning_configuration[0].status == "Enabled",
    ])
    error_message = "Somebody could read or lose the manifest by accident."
  }
  assert {
    condition = alltrue([for rule in aws_s3_bucket_server_side_encryption_configuration.staging.rule :
      rule.bucket_key_enabled && rule.apply_server_side_encryption_by_default[0].sse_algorithm == "aws:kms" && rule.apply_server_side_encryption_by_default[0].kms_master_key_id == aws_kms_key.staging.arn
    ])
    error_message = "The manifest is not encrypted with the key of the run."
  }
  assert {
    condition     = aws_s3_bucket_lifecycle_configuration.staging.rule[0].expiration[0].days == 180 && aws_s3_bucket_lifecycle_configuration.staging.rule[0].noncurrent_version_expiration[0].noncurrent_days == 7 && aws_s3_bucket_lifecycle_configuration.staging.rule[0].abort_incomplete_multipart_upload[0].days_after_initiation == 1
    error_message = "Personal data stays longer than it should."
  }

  # Who hears.
  assert {
    condition     = aws_sns_topic.this.kms_master_key_id == aws_kms_key.operations.arn && aws_sns_topic_subscription.email["on-call@example.com"].protocol == "email"
    error_message = "Alarms do not get to anybody."
  }
  assert {
    condition     = alltrue([for a in [aws_cloudwatch_composite_alarm.sign_ins, aws_cloudwatch_composite_alarm.background] : a.alarm_actions == toset([aws_sns_topic.this.arn]) && a.ok_actions == toset([aws_sns_topic.this.arn])])
    error_message = "A composite alarm does not speak."
  }
  assert {
    condition     = can(jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets) && !strcontains(aws_cloudwatch_dashboard.this.dashboard_body, "$${")
    error_message = "The dashboard has a placeholder left or is not JSON."
  }

  # Nothing that was not asked for.
  assert {
    condition     = length(aws_vpc_endpoint.interface) + length(aws_vpc_endpoint.s3) + length(aws_security_group.functions) == 0
    error_message = "There is a network that nobody asked for."
  }
}
