# What who runs the command line tool may do. It becomes part of no role: whose it
# is, the account decides.

locals {
  operator_policy = jsondecode(templatefile("${path.module}/policies/operator.json", {
    export_role_arn             = local.configuration.source.export_role_arn
    staging_bucket_arn          = local.staging_bucket_arn
    run                         = local.run
    staging_key_arn             = aws_kms_key.staging.arn
    region                      = local.region
    dns_suffix                  = local.dns_suffix
    preseed_state_machine_arn   = local.machine_arn["preseed"]
    reconcile_state_machine_arn = local.machine_arn["reconcile"]
    tail_state_machine_arn      = local.machine_arn["tail"]
    reconcile_execution_arn     = replace(local.machine_arn["reconcile"], ":stateMachine:", ":execution:")
    reconcile_map_run_arn       = replace(local.machine_arn["reconcile"], ":stateMachine:", ":mapRun:")
    tail_execution_arn          = replace(local.machine_arn["tail"], ":stateMachine:", ":execution:")
    target_pool_arn             = local.target_pool_arn
  }))

  # An update of the pool names the role anew, as it names every setting.
  operator_sms_statements = var.target_sms_role_arn == null ? [] : jsondecode(templatefile("${path.module}/policies/operator-sms.json", {
    sms_role_arn = var.target_sms_role_arn
  })).Statement
}
