# Alarms in two groups. What touches people who sign in pages somebody; what works
# in the background is for the next morning. The single alarms tell nobody: the
# composite one of their group does, once, and they show what it is about. Wrong
# passwords are no failure and set nothing off.

locals {
  functions_with_metrics  = { for name, f in local.functions : name => f if f.metrics }
  functions_in_background = { for name, f in local.functions : name => f if !contains(local.triggers, name) }
}

# Sign-ins.

resource "aws_cloudwatch_metric_alarm" "failure_rate" {
  alarm_name          = "${local.name}-failure-rate"
  alarm_description   = "More than 1 % of the sign-ins of unknown users fail for reasons of ours or of AWS. The dashboard shows the outcome; the audit lines of migrate-user have the AWS error code."
  comparison_operator = "GreaterThanThreshold"
  threshold           = 1
  evaluation_periods  = 5
  datapoints_to_alarm = 3
  treat_missing_data  = "notBreaching"

  metric_query {
    id          = "rate"
    label       = "failures, percent"
    expression  = "IF(FILL(decisions, 0) >= 50, 100 * FILL(failures, 0) / decisions, 0)" # a percentage of few is chance
    return_data = true
  }
  metric_query {
    id = "decisions"
    metric {
      namespace   = "Poolferry"
      metric_name = "Decisions"
      dimensions  = { run = local.run }
      stat        = "Sum"
      period      = 60
    }
  }
  metric_query {
    id = "failures"
    metric {
      namespace   = "Poolferry"
      metric_name = "Failures"
      dimensions  = { run = local.run }
      stat        = "Sum"
      period      = 60
    }
  }
}

# Cognito gives up at five seconds. The handler answers by itself before 4.3.
resource "aws_cloudwatch_metric_alarm" "slow" {
  for_each = { p95 = 3000, p99 = 4000 }

  alarm_name                            = "${local.name}-slow-${each.key}"
  alarm_description                     = "The trigger's ${each.key} is above ${each.value} ms; Cognito waits 5 s. The dashboard shows which call of AWS takes the time."
  namespace                             = "Poolferry"
  metric_name                           = "TotalTime"
  dimensions                            = { run = local.run }
  extended_statistic                    = each.key
  period                                = 300
  comparison_operator                   = "GreaterThanThreshold"
  threshold                             = each.value
  evaluation_periods                    = 5
  datapoints_to_alarm                   = 3
  evaluate_low_sample_count_percentiles = "evaluate" # a small pool never has the samples; three periods of five take care of chance
  treat_missing_data                    = "notBreaching"
}

# One for each outcome that means trouble, so that its name says what is wrong
# however few sign in.
resource "aws_cloudwatch_metric_alarm" "outcome" {
  for_each = {
    Misconfigured = { threshold = 1, periods = 1, why = "A role cannot be assumed, or a client or pool is not as configured: nobody can be migrated. Run poolferry preflight." }
    Throttled     = { threshold = 5, periods = 2, why = "AWS turns sign-ins away because of their rate. See the quotas of both accounts and pace in poolferry.yaml." }
    Deadline      = { threshold = 5, periods = 2, why = "The source did not answer in the time that Cognito leaves." }
    Unavailable   = { threshold = 5, periods = 2, why = "AWS failed or was not reached." }
    LockedOut     = { threshold = 20, periods = 3, why = "The source locks users out after wrong passwords: many at once look like somebody trying passwords." }
    Unmappable    = { threshold = 1, periods = 1, why = "Somebody typed the right password and the target pool cannot hold the user. The audit line has the attribute; poolferry preflight finds the others." }
  }

  alarm_name          = "${local.name}-${lower(each.key)}"
  alarm_description   = each.value.why
  namespace           = "Poolferry"
  metric_name         = each.key
  dimensions          = { run = local.run }
  statistic           = "Sum"
  period              = 300
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = each.value.threshold
  evaluation_periods  = each.value.periods
  treat_missing_data  = "notBreaching"
}

# What Lambda counts as an error and the function never decided: it crashed, it
# was not done in time, it did not start.
resource "aws_cloudwatch_metric_alarm" "undecided" {
  alarm_name          = "${local.name}-undecided"
  alarm_description   = "Invocations of migrate-user end without a decision. Its log has the reason."
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 3
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"

  metric_query {
    id          = "undecided"
    label       = "invocations without a decision"
    expression  = "FILL(errors, 0) - FILL(failures, 0) - FILL(locked, 0)"
    return_data = true
  }
  metric_query {
    id = "errors"
    metric {
      namespace   = "AWS/Lambda"
      metric_name = "Errors"
      dimensions  = { FunctionName = module.function["migrate-user"].name }
      stat        = "Sum"
      period      = 300
    }
  }
  metric_query {
    id = "failures"
    metric {
      namespace   = "Poolferry"
      metric_name = "Failures"
      dimensions  = { run = local.run }
      stat        = "Sum"
      period      = 300
    }
  }
  metric_query {
    id = "locked"
    metric {
      namespace   = "Poolferry"
      metric_name = "LockedOut"
      dimensions  = { run = local.run }
      stat        = "Sum"
      period      = 300
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "trigger_throttled" {
  alarm_name          = "${local.name}-trigger-throttled"
  alarm_description   = "Lambda turns sign-ins away: trigger.reserved_concurrency or the account's concurrency is used up."
  namespace           = "AWS/Lambda"
  metric_name         = "Throttles"
  dimensions          = { FunctionName = module.function["migrate-user"].name }
  statistic           = "Sum"
  period              = 60
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
}

# The other triggers of the pool: one that fails, fails the sign-in or the
# registration. What a guard turns away is an error to Lambda and none to us.
resource "aws_cloudwatch_metric_alarm" "guard_undecided" {
  alarm_name          = "${local.name}-guard-undecided"
  alarm_description   = "Invocations of guard-signup end without a decision: people cannot register. Its log has the reason."
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 3
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"

  metric_query {
    id          = "undecided"
    label       = "invocations without a decision"
    expression  = "FILL(errors, 0) - FILL(refused, 0) - FILL(unsure, 0)"
    return_data = true
  }
  metric_query {
    id = "errors"
    metric {
      namespace   = "AWS/Lambda"
      metric_name = "Errors"
      dimensions  = { FunctionName = module.function["guard-signup"].name }
      stat        = "Sum"
      period      = 300
    }
  }
  metric_query {
    id = "refused"
    metric {
      namespace   = "Poolferry"
      metric_name = "SignUpRefused"
      dimensions  = { run = local.run }
      stat        = "Sum"
      period      = 300
    }
  }
  metric_query {
    id = "unsure"
    metric {
      namespace   = "Poolferry"
      metric_name = "SignUpUnsure"
      dimensions  = { run = local.run }
      stat        = "Sum"
      period      = 300
    }
  }
}

# A few registrations an hour are many for some: what counts is a quarter of one.
resource "aws_cloudwatch_metric_alarm" "guard_unsure" {
  alarm_name          = "${local.name}-guard-unsure"
  alarm_description   = "guard-signup cannot tell whether a name belongs to somebody who has not moved. With guard.when_unsure refuse people cannot register; with allow they may take such a name. Its log has the reason; before the first whole reconciliation it is unsure of everybody."
  namespace           = "Poolferry"
  metric_name         = "SignUpUnsure"
  dimensions          = { run = local.run }
  statistic           = "Sum"
  period              = 900
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 3
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
}

resource "aws_cloudwatch_metric_alarm" "hook_errors" {
  for_each = {
    welcome-user = "Sign-ins fail because welcome-user does, of users who are there already too. Its log has the reason; without welcome_arn in target-pool they work, and groups come with the next reconciliation."
    legacy-claim = "Sign-ins and renewals of tokens fail because legacy-claim does. Its log has the reason."
  }

  alarm_name          = "${local.name}-${each.key}-errors"
  alarm_description   = each.value
  namespace           = "AWS/Lambda"
  metric_name         = "Errors"
  dimensions          = { FunctionName = module.function[each.key].name }
  statistic           = "Sum"
  period              = 300
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 3
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
}

resource "aws_cloudwatch_metric_alarm" "hook_throttled" {
  for_each = {
    guard-signup = "registrations away: the account's concurrency is used up."
    welcome-user = "sign-ins away, of users who are there already too: welcome.reserved_concurrency or the account's concurrency is used up."
    legacy-claim = "sign-ins and renewals of tokens away: the account's concurrency is used up."
  }

  alarm_name          = "${local.name}-${each.key}-throttled"
  alarm_description   = "Lambda turns ${each.value}"
  namespace           = "AWS/Lambda"
  metric_name         = "Throttles"
  dimensions          = { FunctionName = module.function[each.key].name }
  statistic           = "Sum"
  period              = 60
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
}

# The background.

# Without the welcome groups come with the next reconciliation, so a few failures
# are no news.
resource "aws_cloudwatch_metric_alarm" "welcome" {
  alarm_name          = "${local.name}-welcome-failed"
  alarm_description   = "welcome-user cannot put people into their groups when they first sign in; they do sign in, and the next reconciliation does it. Its log has the AWS error code."
  namespace           = "Poolferry"
  metric_name         = "WelcomeFailed"
  dimensions          = { run = local.run }
  statistic           = "Sum"
  period              = 300
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 5
  evaluation_periods  = 3
  datapoints_to_alarm = 2
  treat_missing_data  = "notBreaching"
}

# Each reconciliation tries once more what the one before could not settle, five
# times in all: the alarm comes before the end of that, be there one an hour or one
# a day.
resource "aws_cloudwatch_metric_alarm" "settle" {
  alarm_name          = "${local.name}-settle-failed"
  alarm_description   = "Users who have moved do not get their groups, or stay enabled though they were disabled, in one reconciliation after the other; after five of them they are given up. The audit lines of settle-users name them and the AWS error code."
  namespace           = "Poolferry"
  metric_name         = "SettleFailed"
  dimensions          = { run = local.run }
  statistic           = "Sum"
  period              = 3600
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  evaluation_periods  = 72
  datapoints_to_alarm = 3
  treat_missing_data  = "notBreaching"
}

resource "aws_cloudwatch_metric_alarm" "tail" {
  alarm_name          = "${local.name}-tail-failed"
  alarm_description   = "Cognito refused to import some of the users. poolferry tail failures lists them with the reason."
  namespace           = "Poolferry"
  metric_name         = "TailFailed"
  dimensions          = { run = local.run }
  statistic           = "Sum"
  period              = 3600
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
}

# Step Functions repeats what a function throws, so some errors are no news.
resource "aws_cloudwatch_metric_alarm" "function_errors" {
  for_each = local.functions_in_background

  alarm_name          = "${local.name}-${each.key}-errors"
  alarm_description   = "${each.key} fails again and again. Its log has the reason, role that cannot be assumed among them."
  namespace           = "AWS/Lambda"
  metric_name         = "Errors"
  dimensions          = { FunctionName = module.function[each.key].name }
  statistic           = "Sum"
  period              = 300
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 5
  evaluation_periods  = 3
  datapoints_to_alarm = 2
  treat_missing_data  = "notBreaching"
}

resource "aws_cloudwatch_metric_alarm" "executions" {
  for_each = {
    preseed   = { ends = ["ExecutionsFailed", "ExecutionsTimedOut"], why = "A seeding execution failed. poolferry status says which shards and why; poolferry seed goes on from the checkpoints." }
    reconcile = { ends = ["ExecutionsFailed", "ExecutionsTimedOut", "ExecutionsAborted"], why = "A reconciliation failed. The execution shows the state; the next one starts by the schedule." }
    tail      = { ends = ["ExecutionsFailed", "ExecutionsTimedOut", "ExecutionsAborted"], why = "An import of the tail failed. poolferry tail status says at which file; poolferry tail start with the same id goes on from there." }
  }

  alarm_name          = "${local.name}-${each.key}-executions"
  alarm_description   = each.value.why
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"

  metric_query {
    id          = "bad"
    label       = "executions that did not succeed"
    expression  = join(" + ", [for metric in each.value.ends : "FILL(${lower(metric)}, 0)"])
    return_data = true
  }
  dynamic "metric_query" {
    for_each = each.value.ends
    content {
      id = lower(metric_query.value)
      metric {
        namespace   = "AWS/States"
        metric_name = metric_query.value
        dimensions  = { StateMachineArn = aws_sfn_state_machine.this[each.key].arn }
        stat        = "Sum"
        period      = 300
      }
    }
  }
}

# A chain that starts links and reads no page goes in circles. One start is not
# enough: whoever starts a seeding that is done starts one link.
resource "aws_cloudwatch_metric_alarm" "seeding_stalled" {
  alarm_name          = "${local.name}-seeding-stalled"
  alarm_description   = "Seeding executions start and read no page of the source pool. poolferry status says where the shards stand; see the logs of plan-seeding and seed-batch."
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  evaluation_periods  = 2
  treat_missing_data  = "notBreaching"

  metric_query {
    id          = "stalled"
    label       = "links without a page"
    expression  = "IF(FILL(started, 0) >= 2 AND FILL(pages, 0) == 0, 1, 0)"
    return_data = true
  }
  metric_query {
    id = "started"
    metric {
      namespace   = "AWS/States"
      metric_name = "ExecutionsStarted"
      dimensions  = { StateMachineArn = aws_sfn_state_machine.this["preseed"].arn }
      stat        = "Sum"
      period      = 900
    }
  }
  metric_query {
    id = "pages"
    metric {
      namespace   = "Poolferry"
      metric_name = "SeedPages"
      dimensions  = { run = local.run }
      stat        = "Sum"
      period      = 900
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "seeding_throttled" {
  alarm_name          = "${local.name}-seeding-throttled"
  alarm_description   = "The source turns away more than one in ten of seeding's requests, and production's with them. Lower pace.user_list in poolferry.yaml and apply."
  comparison_operator = "GreaterThanThreshold"
  threshold           = 10
  evaluation_periods  = 3
  treat_missing_data  = "notBreaching"

  metric_query {
    id          = "share"
    label       = "requests turned away, percent"
    expression  = "IF(FILL(pages, 0) + FILL(throttled, 0) > 0, 100 * FILL(throttled, 0) / (FILL(pages, 0) + FILL(throttled, 0)), 0)"
    return_data = true
  }
  metric_query {
    id = "pages"
    metric {
      namespace   = "Poolferry"
      metric_name = "SeedPages"
      dimensions  = { run = local.run }
      stat        = "Sum"
      period      = 300
    }
  }
  metric_query {
    id = "throttled"
    metric {
      namespace   = "Poolferry"
      metric_name = "SeedThrottled"
      dimensions  = { run = local.run }
      stat        = "Sum"
      period      = 300
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "reconciliation_throttled" {
  alarm_name          = "${local.name}-reconciliation-throttled"
  alarm_description   = "The target turns away more than one in ten of reconciliation's requests, and production's with them. Lower pace.user_list in poolferry.yaml and apply."
  comparison_operator = "GreaterThanThreshold"
  threshold           = 10
  evaluation_periods  = 3
  treat_missing_data  = "notBreaching"

  metric_query {
    id          = "share"
    label       = "requests turned away, percent"
    expression  = "IF(FILL(pages, 0) + FILL(throttled, 0) > 0, 100 * FILL(throttled, 0) / (FILL(pages, 0) + FILL(throttled, 0)), 0)"
    return_data = true
  }
  metric_query {
    id = "pages"
    metric {
      namespace   = "Poolferry"
      metric_name = "ReconcilePages"
      dimensions  = { run = local.run }
      stat        = "Sum"
      period      = 300
    }
  }
  metric_query {
    id = "throttled"
    metric {
      namespace   = "Poolferry"
      metric_name = "ReconcileThrottled"
      dimensions  = { run = local.run }
      stat        = "Sum"
      period      = 300
    }
  }
}

# What a reconciliation says of itself.
resource "aws_cloudwatch_metric_alarm" "reconciliation" {
  for_each = {
    ReconciliationFailed  = { name = "reconciliation-failed", periods = 1, of = 1, why = "A reconciliation failed and counted nothing. poolferry status says which step and why; the next one starts by the schedule." }
    ReconciliationPartial = { name = "reconciliation-partial", periods = 3, of = 24, why = "Reconciliations end without all of the manifest or of the target pool, again and again: the numbers of users stand still. poolferry status says what is missing." }
    CriticalFindings      = { name = "critical-findings", periods = 1, of = 1, why = "A reconciliation found what somebody has to look at before cut-over. poolferry report lists it." }
  }

  alarm_name          = "${local.name}-${each.value.name}"
  alarm_description   = each.value.why
  namespace           = "Poolferry"
  metric_name         = each.key
  dimensions          = { run = local.run }
  statistic           = "Maximum"
  period              = 3600
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  evaluation_periods  = each.value.of
  datapoints_to_alarm = each.value.periods
  treat_missing_data  = "notBreaching"
}

# Whatever keeps reconciliations from counting everybody: numbers of users are
# written by whole ones alone. Where the schedule is off, nothing starts.
resource "aws_cloudwatch_metric_alarm" "reconciliation_stalled" {
  alarm_name          = "${local.name}-reconciliation-stalled"
  alarm_description   = "Reconciliations have been starting for two days, and none has counted everybody: the migration cannot become complete. poolferry status says what is in the way."
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  evaluation_periods  = 2
  treat_missing_data  = "notBreaching"

  metric_query {
    id          = "stalled"
    label       = "a day without a whole reconciliation"
    expression  = "IF(FILL(started, 0) >= 1 AND FILL(whole, 0) == 0, 1, 0)"
    return_data = true
  }
  metric_query {
    id = "started"
    metric {
      namespace   = "AWS/States"
      metric_name = "ExecutionsStarted"
      dimensions  = { StateMachineArn = aws_sfn_state_machine.this["reconcile"].arn }
      stat        = "Sum"
      period      = 86400
    }
  }
  metric_query {
    id = "whole"
    metric {
      namespace   = "Poolferry"
      metric_name = "UsersPending"
      dimensions  = { run = local.run }
      stat        = "SampleCount"
      period      = 86400
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "schedule_dead_letters" {
  alarm_name          = "${local.name}-schedule-dead-letters"
  alarm_description   = "The schedule could not start a reconciliation. The message in the queue says why; delete it when it is dealt with."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = aws_sqs_queue.dead_letters.name }
  statistic           = "Maximum"
  period              = 300
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
}

# Metrics that CloudWatch could not read are alarms that never go off.
resource "aws_cloudwatch_metric_alarm" "metrics_lost" {
  for_each = local.functions_with_metrics

  alarm_name          = "${local.name}-${each.key}-metrics-lost"
  alarm_description   = "CloudWatch cannot read metric lines of ${each.key}: the alarms do not see all of it."
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"

  metric_query {
    id          = "lost"
    label       = "metric lines lost"
    expression  = "FILL(unparsed, 0) + FILL(invalid, 0)"
    return_data = true
  }
  metric_query {
    id = "unparsed"
    metric {
      namespace   = "AWS/Logs"
      metric_name = "EMFParsingErrors"
      dimensions  = { LogGroupName = module.function[each.key].log_group_name }
      stat        = "Sum"
      period      = 300
    }
  }
  metric_query {
    id = "invalid"
    metric {
      namespace   = "AWS/Logs"
      metric_name = "EMFValidationErrors"
      dimensions  = { LogGroupName = module.function[each.key].log_group_name }
      stat        = "Sum"
      period      = 300
    }
  }
}

# The two that speak.

locals {
  sign_in_alarms = concat(
    [aws_cloudwatch_metric_alarm.failure_rate.alarm_name, aws_cloudwatch_metric_alarm.undecided.alarm_name, aws_cloudwatch_metric_alarm.trigger_throttled.alarm_name],
    [aws_cloudwatch_metric_alarm.guard_undecided.alarm_name, aws_cloudwatch_metric_alarm.guard_unsure.alarm_name],
    values(aws_cloudwatch_metric_alarm.hook_errors)[*].alarm_name,
    values(aws_cloudwatch_metric_alarm.hook_throttled)[*].alarm_name,
    values(aws_cloudwatch_metric_alarm.slow)[*].alarm_name,
    values(aws_cloudwatch_metric_alarm.outcome)[*].alarm_name,
  )
  background_alarms = concat(
    [aws_cloudwatch_metric_alarm.reconciliation_stalled.alarm_name, aws_cloudwatch_metric_alarm.seeding_stalled.alarm_name, aws_cloudwatch_metric_alarm.seeding_throttled.alarm_name, aws_cloudwatch_metric_alarm.reconciliation_throttled.alarm_name, aws_cloudwatch_metric_alarm.schedule_dead_letters.alarm_name],
    [aws_cloudwatch_metric_alarm.welcome.alarm_name, aws_cloudwatch_metric_alarm.settle.alarm_name, aws_cloudwatch_metric_alarm.tail.alarm_name],
    values(aws_cloudwatch_metric_alarm.function_errors)[*].alarm_name,
    values(aws_cloudwatch_metric_alarm.executions)[*].alarm_name,
    values(aws_cloudwatch_metric_alarm.reconciliation)[*].alarm_name,
    values(aws_cloudwatch_metric_alarm.metrics_lost)[*].alarm_name,
  )
}

resource "aws_cloudwatch_composite_alarm" "sign_ins" {
  alarm_name        = "${local.name}-sign-ins"
  alarm_description = "People who sign in or register are turned away, or soon will be. The alarms behind it, and the dashboard ${local.name}, say why. To end the migration at once: poolferry rollback."
  alarm_rule        = join(" OR ", [for name in local.sign_in_alarms : "ALARM(\"${name}\")"])
  alarm_actions     = [aws_sns_topic.this.arn]
  ok_actions        = [aws_sns_topic.this.arn]
}

resource "aws_cloudwatch_composite_alarm" "background" {
  alarm_name        = "${local.name}-background"
  alarm_description = "Seeding, reconciliation, what comes after it, or the metrics themselves do not work. Nobody who signs in is turned away. The alarms behind it say which."
  alarm_rule        = join(" OR ", [for name in local.background_alarms : "ALARM(\"${name}\")"])
  alarm_actions     = [aws_sns_topic.this.arn]
  ok_actions        = [aws_sns_topic.this.arn]
}
