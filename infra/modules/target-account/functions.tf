locals {
  # Every function: what it may do (files of policies/), how long it may take and
  # with how much memory. concurrency is set aside for it and is its limit, so
  # that what runs in the background never takes the place of a sign-in; null
  # shares the account's. metrics says whether it writes any. What only some
  # migrations need, secrets and roles of groups, is added below.
  functions = {
    migrate-user = {
      does        = "answers the target pool for users whom it does not know"
      policies    = ["migrate-user"]
      timeout     = 5   # Cognito does not wait longer
      memory      = 512 # for the processor that comes with it: TLS hand-shakes
      concurrency = var.trigger.reserved_concurrency
      metrics     = true
    }
    plan-seeding = {
      does        = "plans a seeding"
      policies    = ["seeding", "staging-key-use"]
      timeout     = 60
      memory      = 256
      concurrency = 2
      metrics     = false
    }
    seed-batch = {
      does        = "stages one batch of profiles"
      policies    = ["seeding", "seeding-sweep", "staging-key-use"]
      timeout     = 70
      memory      = 256
      concurrency = try(local.file.seeding.concurrency, 16) + 4 # the batches that run at a time, and what repeats one
      metrics     = true
    }
    close-seeding = {
      does        = "closes a generation of the manifest"
      policies    = ["seeding", "seeding-sweep", "staging-key-use"]
      timeout     = 120
      memory      = 256
      concurrency = 2
      metrics     = false
    }
    open-reconciliation = {
      does        = "takes the lease and chooses what is compared"
      policies    = ["reconciliation", "target-directory", "target-settings", "staging-key-use"]
      timeout     = 110
      memory      = 512
      concurrency = 2
      metrics     = true
    }
    index-manifest = {
      does        = "sorts staged profiles into buckets"
      policies    = ["reconciliation", "staging-key-use"]
      timeout     = 260
      memory      = 512
      concurrency = try(local.file.reconcile.concurrency, 40) + 4
      metrics     = true
    }
    scan-target = {
      does        = "lists the target pool into buckets"
      policies    = ["reconciliation", "target-directory", "staging-key-use"]
      timeout     = 270
      memory      = 512
      concurrency = try(local.file.seeding.concurrency, 16) + 4
      metrics     = true
    }
    match-names = {
      does        = "matches users whom the trigger did not write, by name"
      policies    = ["reconciliation", "staging-key-use"]
      timeout     = 590
      memory      = 512
      concurrency = 2
      metrics     = true
    }
    compare-bucket = {
      does        = "compares one bucket of both sides"
      policies    = ["reconciliation", "staging-key-use"]
      timeout     = 260
      memory      = 512
      concurrency = try(local.file.reconcile.concurrency, 40) + 4
      metrics     = true
    }
    close-reconciliation = {
      does        = "adds up the verdicts and writes the report"
      policies    = ["reconciliation", "reconciliation-sweep", "staging-key-use"]
      timeout     = 890
      memory      = 512
      concurrency = 2
      metrics     = true
    }
    settle-users = {
      does        = "gives users who have moved their groups, and disables who was disabled"
      policies    = ["settle", "staging-key-use"]
      timeout     = 890
      memory      = 512
      concurrency = 2
      metrics     = true
    }
    welcome-user = {
      does        = "puts users into their groups when they sign in for the first time"
      policies    = ["welcome-user", "staging-key-read"]
      timeout     = 5
      memory      = 512
      concurrency = var.welcome.reserved_concurrency
      metrics     = true
    }
    guard-signup = {
      does        = "refuses registrations under names of users who have not moved"
      policies    = ["guard-signup", "staging-key-read"]
      timeout     = 5
      memory      = 1024
      concurrency = null
      metrics     = true
    }
    legacy-claim = {
      does        = "puts the sub that a user had into tokens"
      policies    = ["logs-only"]
      timeout     = 5
      memory      = 256
      concurrency = null
      metrics     = false
    }
    open-tail = {
      does        = "takes the lease of an import and looks at its plan"
      policies    = ["reconciliation", "staging-key-use"]
      timeout     = 300
      memory      = 256
      concurrency = 2
      metrics     = false
    }
    write-tail = {
      does        = "writes one file of users to import"
      policies    = ["reconciliation", "staging-key-use"]
      timeout     = 890
      memory      = 512 # as compare-bucket: one bucket of the index at a time; a file takes 40 MB
      concurrency = 2
      metrics     = false
    }
    import-tail = {
      does        = "advances the import, one job at a time"
      policies    = ["reconciliation", "tail-jobs", "staging-key-use"]
      timeout     = 890
      memory      = 1024 # the log of 500,000 rows is read at once, 250 MB and as much garbage
      concurrency = 2
      metrics     = true
    }
    close-tail = {
      does        = "adds up what became of everybody in an import"
      policies    = ["reconciliation", "staging-key-use"]
      timeout     = 300
      memory      = 256
      concurrency = 2
      metrics     = true
    }
  }

  # Those that the target pool calls, by the alias that it names.
  triggers = toset(["migrate-user", "guard-signup", "welcome-user", "legacy-claim"])

  # The roles that groups get, as userpool.GroupRules has them.
  group_role_arns = try(distinct([for role in local.file.settle.groups.roles : role.role_arn]), [])

  staging_bucket_arn = "arn:${local.partition}:s3:::${local.configuration.staging.bucket}"

  # What fills each policy of the functions, but for log_group_arn.
  policy_values = {
    migrate-user         = { login_role_arn = local.configuration.source.login_role_arn, target_pool_arn = local.target_pool_arn }
    seeding              = { export_role_arn = local.configuration.source.export_role_arn, staging_bucket_arn = local.staging_bucket_arn, run = local.run }
    reconciliation       = { staging_bucket_arn = local.staging_bucket_arn, run = local.run }
    reconciliation-sweep = { staging_bucket_arn = local.staging_bucket_arn, run = local.run }
    seeding-sweep        = { staging_bucket_arn = local.staging_bucket_arn, run = local.run }
    target-directory     = { target_pool_arn = local.target_pool_arn }
    target-settings      = { target_pool_arn = local.target_pool_arn }
    settle               = { staging_bucket_arn = local.staging_bucket_arn, run = local.run, target_pool_arn = local.target_pool_arn }
    welcome-user         = { staging_bucket_arn = local.staging_bucket_arn, run = local.run, target_pool_arn = local.target_pool_arn }
    guard-signup         = { staging_bucket_arn = local.staging_bucket_arn, run = local.run }
    logs-only            = {}
    tail-jobs            = { target_pool_arn = local.target_pool_arn, import_log_role_arn = local.import_log_role_arn, pool_log_group_arn = local.pool_log_group_arn }
    staging-key-use      = { staging_key_arn = aws_kms_key.staging.arn, region = local.region, dns_suffix = local.dns_suffix }
    staging-key-read     = { staging_key_arn = aws_kms_key.staging.arn, region = local.region, dns_suffix = local.dns_suffix }
  }

  # Only these resolve secrets: the trigger all of them, the guard the key of the
  # audit trail.
  secret_policies = { for name, arn in var.secret_arns : "secret-${name}" => templatefile("${path.module}/policies/secrets.json", { secret_arn = arn }) }
  secret_key_policies = { for name, arn in var.secret_key_arns : "secret-key-${name}" => templatefile("${path.module}/policies/secrets-key.json", {
    secret_key_arn = arn
    region         = local.region
    dns_suffix     = local.dns_suffix
  }) }

  # What some functions have besides the table's.
  more_policies = {
    migrate-user = merge(local.secret_policies, local.secret_key_policies)
    guard-signup = merge({ for name, document in local.secret_policies : name => document if name == "secret-name_key" }, local.secret_key_policies)
    settle-users = local.role_policies
    welcome-user = local.role_policies
  }
  role_policies = length(local.group_role_arns) == 0 ? {} : {
    settle-roles = templatefile("${path.module}/policies/settle-roles.json", { group_role_arns = join("\", \"", local.group_role_arns) })
  }
}

module "function" {
  source   = "../function"
  for_each = local.functions

  name                     = "${local.name}-${each.key}"
  description              = "poolferry ${local.run}: ${each.value.does}"
  package                  = "${var.packages != null ? var.packages : "${path.module}/../../../dist"}/${each.key}-${var.architecture}.zip"
  architecture             = var.architecture
  timeout                  = each.value.timeout
  memory                   = each.value.memory
  reserved_concurrency     = contains(local.triggers, each.key) || var.reserve_concurrency ? each.value.concurrency : null
  environment              = { POOLFERRY_CONFIG = jsonencode(local.configuration) }
  log_retention_days       = var.log_retention_days
  log_key_arn              = aws_kms_key.operations.arn
  alias                    = contains(local.triggers, each.key) ? local.trigger_alias : null
  provisioned_concurrency  = each.key == "migrate-user" ? var.trigger.provisioned_concurrency : 0
  permissions_boundary_arn = var.permissions_boundary_arn
  network = var.network == null ? null : {
    subnet_ids         = var.network.subnet_ids
    security_group_ids = [aws_security_group.functions[0].id]
  }

  policies = merge(
    { for policy in each.value.policies : policy => templatefile("${path.module}/policies/${policy}.json", merge(local.policy_values[policy], {
      log_group_arn = "arn:${local.partition}:logs:${local.region}:${local.account}:log-group:/aws/lambda/${local.name}-${each.key}"
    })) },
    lookup(local.more_policies, each.key, {}),
  )
}

# The target pool, and nothing else, may call its triggers: each by its alias,
# which is what the pool names.
resource "aws_lambda_permission" "target_pool" {
  for_each = local.triggers

  statement_id   = "target-pool"
  action         = "lambda:InvokeFunction"
  principal      = "cognito-idp.amazonaws.com"
  function_name  = module.function[each.key].name
  qualifier      = reverse(split(":", module.function[each.key].alias_arn))[0]
  source_arn     = local.target_pool_arn
  source_account = local.account

  lifecycle {
    precondition {
      condition     = local.region == local.configuration.target.region
      error_message = "The provider is of region ${local.region}, but target.region is ${local.configuration.target.region}."
    }
  }
}

# There was one trigger once. Without this its permission would go and come again,
# and sign-ins between the two would fail.
moved {
  from = aws_lambda_permission.target_pool
  to   = aws_lambda_permission.target_pool["migrate-user"]
}
