# The account that users go to: everything that runs.

data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}
data "aws_region" "this" {}

locals {
  file = yamldecode(var.configuration)

  # What the functions get. The file wins but for what Terraform itself has made.
  configuration = merge(local.file, local.cutover, {
    source = merge(local.file.source, { client_id = var.source_client_id != null ? var.source_client_id : try(local.file.source.client_id, null) })
    target = merge(local.file.target, { pool_id = var.target_pool_id != null ? var.target_pool_id : try(local.file.target.pool_id, null) })
    tail   = merge(try(local.file.tail, null) == null ? {} : local.file.tail, { import_log_role_arn = local.import_log_role_arn })
  })

  # The client of the probe, of whom the file has the rest.
  cutover = local.probes && var.probe_client_id != null ? { cutover = merge(local.file.cutover, { probe_client_id = var.probe_client_id }) } : {}
  probes  = try(local.file.cutover.probe_username, null) != null

  # From the file, as all that the trigger's ARN is built of: the pool, whose id is
  # in the other, names the trigger.
  run         = local.file.run
  name        = "poolferry-${local.run}" # every name begins so; internal/workflow and the command line tool know it
  partition   = data.aws_partition.this.partition
  dns_suffix  = data.aws_partition.this.dns_suffix
  account     = data.aws_caller_identity.this.account_id
  region      = data.aws_region.this.name
  target_pool = local.configuration.target.pool_id

  # ARNs of things that name each other are built from names: a state machine
  # that starts itself, a pool and its trigger would be cycles.
  target_pool_arn = "arn:${local.partition}:cognito-idp:${local.region}:${local.account}:userpool/${local.target_pool}"
  trigger_arn     = { for name in local.triggers : name => "${local.function_arn[name]}:${local.trigger_alias}" }
  trigger_alias   = "live"
  function_arn    = { for name in keys(local.functions) : name => "arn:${local.partition}:lambda:${local.region}:${local.account}:function:${local.name}-${name}" }
  machine_arn     = { for name in ["preseed", "reconcile", "tail"] : name => "arn:${local.partition}:states:${local.region}:${local.account}:stateMachine:${local.name}-${name}" }
  schedule_name   = "${local.name}-reconcile"
  schedule_arn    = "arn:${local.partition}:scheduler:${local.region}:${local.account}:schedule/default/${local.schedule_name}"

  import_log_role     = "${local.name}-import-log"
  import_log_role_arn = "arn:${local.partition}:iam::${local.account}:role/${local.import_log_role}"
  pool_log_group_arn  = "arn:${local.partition}:logs:${local.region}:${local.account}:log-group:/aws/cognito/userpools/${local.target_pool}"
}

# The command line tool reads the file alone. One that names another client or
# pool than the functions work with is worse than one that names none.
check "configuration_agrees" {
  assert {
    condition = alltrue([
      try(local.file.source.client_id, null) == null ? true : local.file.source.client_id == local.configuration.source.client_id,
      try(local.file.target.pool_id, null) == null ? true : local.file.target.pool_id == local.configuration.target.pool_id,
      try(local.file.tail.import_log_role_arn, null) == null ? true : local.file.tail.import_log_role_arn == local.import_log_role_arn,
      try(local.file.cutover.probe_client_id, null) == null ? true : local.file.cutover.probe_client_id == local.configuration.cutover.probe_client_id,
    ])
    error_message = "poolferry.yaml names another app client, target pool, role of import logs or client of the probe than Terraform has made: correct source.client_id, target.pool_id, tail.import_log_role_arn and cutover.probe_client_id as in the output configuration."
  }
}
