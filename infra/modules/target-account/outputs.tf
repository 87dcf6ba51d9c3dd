output "configuration" {
  description = "poolferry.yaml as the functions have it, with the ids of what Terraform made: terraform output -raw configuration. The command line tool reads the same."
  value       = yamlencode(local.configuration)
}

output "trigger_arn" {
  description = "ARN of the migration trigger's alias: UserMigration of the target pool's Lambda configuration."
  value       = local.trigger_arn["migrate-user"]
}

output "guard_arn" {
  description = "ARN of the alias of guard-signup: PreSignUp. Without it nobody may register before cut-over."
  value       = local.trigger_arn["guard-signup"]
}

output "welcome_arn" {
  description = "ARN of the alias of welcome-user: PostAuthentication. Without it groups come with the next reconciliation."
  value       = local.trigger_arn["welcome-user"]
}

output "claim_arn" {
  description = "ARN of the alias of legacy-claim: PreTokenGenerationConfig. Only for applications that go by the sub of the source pool."
  value       = local.trigger_arn["legacy-claim"]
}

output "existing_pool" {
  description = "What to set where the target pool belongs to another Terraform state, by phase. An update resets what it leaves out: set these in that state, not by a partial call. Leave out of pre_sign_up, post_authentication and pre_token_generation_config what you do not want."
  value = {
    migrating = {
      user_migration              = local.trigger_arn["migrate-user"]
      pre_sign_up                 = local.trigger_arn["guard-signup"]
      post_authentication         = local.trigger_arn["welcome-user"]
      pre_token_generation_config = { lambda_arn = local.trigger_arn["legacy-claim"], lambda_version = "V2_0, or V1_0 in a LITE pool" }
      explicit_auth_flows         = ["ALLOW_USER_SRP_AUTH", "ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]
      custom_attribute            = "legacy_sub"
      prevent_user_existence      = "ENABLED"
      write_attributes_must_not   = ["custom:legacy_sub"]
    }
    cut-over = {
      user_migration              = null
      pre_sign_up                 = null
      post_authentication         = null
      pre_token_generation_config = { lambda_arn = local.trigger_arn["legacy-claim"], lambda_version = "V2_0, or V1_0 in a LITE pool" }
      explicit_auth_flows         = ["ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]
      custom_attribute            = "legacy_sub"
      prevent_user_existence      = "ENABLED"
      write_attributes_must_not   = ["custom:legacy_sub"]
    }
  }
}

output "import_log_role_arn" {
  description = "The role as which import jobs write their log: tail.import_log_role_arn of poolferry.yaml."
  value       = aws_iam_role.import_log.arn
}

output "operator_policy" {
  description = "IAM policy document for who runs the command line tool: seed, reconcile, tail, cutover, rollback, purge, forget. README.md says what they need besides."
  value = jsonencode(merge(local.operator_policy, {
    Statement = concat(local.operator_policy.Statement, local.operator_sms_statements)
  }))
}

output "function_role_arns" {
  description = "Execution roles, by function. The source account's trust policies name four of them."
  value       = { for name, function in module.function : name => function.role_arn }
}

output "function_arns" {
  description = "Functions, by name of their folder."
  value       = { for name, function in module.function : name => function.arn }
}

output "state_machine_arns" {
  description = "State machines, by definition."
  value       = { for name, machine in aws_sfn_state_machine.this : name => machine.arn }
}

output "schedule_name" {
  description = "The schedule of reconciliations, which a complete migration switches off."
  value       = aws_scheduler_schedule.reconcile.name
}

output "staging_bucket" {
  description = "The bucket of the manifest."
  value       = aws_s3_bucket.staging.id
}

output "staging_key_arn" {
  description = "The key of the bucket. Scheduling its deletion makes every staged profile unreadable."
  value       = aws_kms_key.staging.arn
}

output "topic_arn" {
  description = "Where alarms and the end of the migration are published."
  value       = aws_sns_topic.this.arn
}

output "dashboard_name" {
  description = "The dashboard of the run."
  value       = aws_cloudwatch_dashboard.this.dashboard_name
}

output "alarm_names" {
  description = "The two composite alarms, which publish to the topic."
  value = {
    sign_ins   = aws_cloudwatch_composite_alarm.sign_ins.alarm_name
    background = aws_cloudwatch_composite_alarm.background.alarm_name
  }
}
