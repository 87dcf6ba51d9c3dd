# Starts a reconciliation again and again, until the reconciliation that finds
# everybody accounted for switches the schedule off.

resource "aws_sqs_queue" "dead_letters" {
  name                      = "${local.name}-schedule-dead-letters"
  message_retention_seconds = 1209600 # a fortnight
  sqs_managed_sse_enabled   = true    # a message holds the run id and no more
}

resource "aws_sqs_queue_policy" "dead_letters" {
  queue_url = aws_sqs_queue.dead_letters.url
  policy    = templatefile("${path.module}/policies/dead-letters.json", { dead_letters_arn = aws_sqs_queue.dead_letters.arn })
}

resource "aws_iam_role" "schedule" {
  name                 = "${local.name}-schedule"
  description          = "poolferry ${local.run}: starts reconciliations"
  assume_role_policy   = templatefile("${path.module}/policies/scheduler-trust.json", { target_account = local.account })
  permissions_boundary = var.permissions_boundary_arn
}

resource "aws_iam_role_policy" "schedule" {
  name   = "reconcile-schedule"
  role   = aws_iam_role.schedule.id
  policy = templatefile("${path.module}/policies/reconcile-schedule.json", { reconcile_state_machine_arn = local.machine_arn["reconcile"] })
}

resource "aws_iam_role_policy" "schedule_dead_letters" {
  name   = "schedule-dead-letters"
  role   = aws_iam_role.schedule.id
  policy = templatefile("${path.module}/policies/schedule-dead-letters.json", { dead_letters_arn = aws_sqs_queue.dead_letters.arn })
}

resource "aws_scheduler_schedule" "reconcile" {
  name                         = local.schedule_name
  group_name                   = "default"
  description                  = "poolferry ${local.run}: compares the manifest with the target pool"
  schedule_expression          = var.schedule.expression
  schedule_expression_timezone = var.schedule.timezone

  # No start, no end and no key: reconcile.asl.json writes the whole schedule back
  # when it disables it, and leaves one that has these to a person.
  flexible_time_window {
    mode                      = var.schedule.flexible_window > 0 ? "FLEXIBLE" : "OFF"
    maximum_window_in_minutes = var.schedule.flexible_window > 0 ? var.schedule.flexible_window : null
  }

  target {
    arn      = aws_sfn_state_machine.this["reconcile"].arn
    role_arn = aws_iam_role.schedule.arn
    input    = jsonencode({ run = local.run })

    # A start that is an hour late is the next one's business.
    retry_policy {
      maximum_retry_attempts       = 5
      maximum_event_age_in_seconds = 3600
    }
    dead_letter_config {
      arn = aws_sqs_queue.dead_letters.arn
    }
  }

  # A complete migration has switched it off; applying again must not switch it
  # on. To switch it on, use the console or aws scheduler update-schedule.
  lifecycle {
    ignore_changes = [state]
  }

  depends_on = [aws_iam_role_policy.schedule, aws_iam_role_policy.schedule_dead_letters]
}
