locals {
  # Each definition with the one map that fills it. EXPRESS keeps no record of a
  # failed execution but the log.
  machines = {
    preseed = {
      type = "EXPRESS"
      definition = templatefile("${path.module}/../../../statemachines/preseed.asl.json", {
        plan_seeding_function  = local.function_arn["plan-seeding"]
        seed_batch_function    = local.function_arn["seed-batch"]
        close_seeding_function = local.function_arn["close-seeding"]
      })
      policies = {
        preseed = templatefile("${path.module}/policies/preseed.json", {
          plan_seeding_function_arn  = local.function_arn["plan-seeding"]
          seed_batch_function_arn    = local.function_arn["seed-batch"]
          close_seeding_function_arn = local.function_arn["close-seeding"]
          state_machine_arn          = local.machine_arn["preseed"]
        })
      }
    }
    reconcile = {
      type = "STANDARD"
      definition = templatefile("${path.module}/../../../statemachines/reconcile.asl.json", {
        open_reconciliation_function  = local.function_arn["open-reconciliation"]
        index_manifest_function       = local.function_arn["index-manifest"]
        scan_target_function          = local.function_arn["scan-target"]
        match_names_function          = local.function_arn["match-names"]
        compare_bucket_function       = local.function_arn["compare-bucket"]
        close_reconciliation_function = local.function_arn["close-reconciliation"]
        settle_users_function         = local.function_arn["settle-users"]
        preseed_state_machine         = local.machine_arn["preseed"]
        staging_bucket                = local.configuration.staging.bucket
        topic                         = aws_sns_topic.this.arn
        schedule_name                 = local.schedule_name
      })
      policies = {
        reconcile = templatefile("${path.module}/policies/reconcile.json", {
          open_reconciliation_function_arn  = local.function_arn["open-reconciliation"]
          index_manifest_function_arn       = local.function_arn["index-manifest"]
          scan_target_function_arn          = local.function_arn["scan-target"]
          match_names_function_arn          = local.function_arn["match-names"]
          compare_bucket_function_arn       = local.function_arn["compare-bucket"]
          close_reconciliation_function_arn = local.function_arn["close-reconciliation"]
          settle_users_function_arn         = local.function_arn["settle-users"]
          state_machine_arn                 = local.machine_arn["reconcile"]
          execution_arn                     = replace(local.machine_arn["reconcile"], ":stateMachine:", ":execution:")
          preseed_state_machine_arn         = local.machine_arn["preseed"]
          staging_bucket_arn                = local.staging_bucket_arn
          run                               = local.run
          topic_arn                         = aws_sns_topic.this.arn
          schedule_arn                      = local.schedule_arn
          schedule_role_arn                 = aws_iam_role.schedule.arn
        })
        # Its Distributed Maps read their items from the bucket and write results
        # into it; its last word goes through the topic.
        staging-key-use = templatefile("${path.module}/policies/staging-key-use.json", {
          staging_key_arn = aws_kms_key.staging.arn
          region          = local.region
          dns_suffix      = local.dns_suffix
        })
        operations-key-use = templatefile("${path.module}/policies/operations-key-use.json", {
          operations_key_arn = aws_kms_key.operations.arn
          region             = local.region
          dns_suffix         = local.dns_suffix
        })
      }
    }
    tail = {
      type = "STANDARD"
      definition = templatefile("${path.module}/../../../statemachines/tail.asl.json", {
        open_tail_function   = local.function_arn["open-tail"]
        write_tail_function  = local.function_arn["write-tail"]
        import_tail_function = local.function_arn["import-tail"]
        close_tail_function  = local.function_arn["close-tail"]
        topic                = aws_sns_topic.this.arn
      })
      policies = {
        tail = templatefile("${path.module}/policies/tail.json", {
          open_tail_function_arn   = local.function_arn["open-tail"]
          write_tail_function_arn  = local.function_arn["write-tail"]
          import_tail_function_arn = local.function_arn["import-tail"]
          close_tail_function_arn  = local.function_arn["close-tail"]
          topic_arn                = aws_sns_topic.this.arn
        })
        operations-key-use = templatefile("${path.module}/policies/operations-key-use.json", {
          operations_key_arn = aws_kms_key.operations.arn
          region             = local.region
          dns_suffix         = local.dns_suffix
        })
      }
    }
  }

  machine_policies = merge([
    for machine, m in local.machines : merge(
      { for policy, document in m.policies : "${machine}/${policy}" => { machine = machine, policy = policy, document = document } },
      { "${machine}/states-logging" = { machine = machine, policy = "states-logging", document = file("${path.module}/policies/states-logging.json") } },
    )
  ]...)
}

resource "aws_iam_role" "machine" {
  for_each = local.machines

  name                 = "${local.name}-${each.key}"
  description          = "poolferry ${local.run}: role of the state machine ${each.key}"
  assume_role_policy   = templatefile("${path.module}/policies/states-trust.json", { target_account = local.account })
  permissions_boundary = var.permissions_boundary_arn
}

resource "aws_iam_role_policy" "machine" {
  for_each = local.machine_policies

  name   = each.value.policy
  role   = aws_iam_role.machine[each.value.machine].id
  policy = each.value.document
}

# The name's beginning lets Step Functions write without a resource policy of its
# own, of which a region has few.
resource "aws_cloudwatch_log_group" "machine" {
  for_each = local.machines

  name              = "/aws/vendedlogs/states/${local.name}-${each.key}"
  retention_in_days = var.log_retention_days
  kms_key_id        = aws_kms_key.operations.arn
}

resource "aws_sfn_state_machine" "this" {
  for_each = local.machines

  name       = "${local.name}-${each.key}"
  type       = each.value.type
  role_arn   = aws_iam_role.machine[each.key].arn
  definition = each.value.definition

  logging_configuration {
    log_destination        = "${aws_cloudwatch_log_group.machine[each.key].arn}:*"
    level                  = "ERROR"
    include_execution_data = false # input and output are ids and counts; that they stay so is not for a log to rely on
  }

  # Creating one checks that its role may write the log.
  depends_on = [aws_iam_role_policy.machine]
}
