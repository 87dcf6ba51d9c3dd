# The account that users leave: two roles for the functions of the target
# account, and an app client of the migration's own. No user, group, setting or
# existing client of the source pool is touched.

data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}
data "aws_region" "this" {}

locals {
  configuration = yamldecode(var.configuration)
  run           = local.configuration.run
  source        = local.configuration.source
  rules         = try(local.configuration.mapping.rules, [])
  mfa_policy    = lookup(local.configuration, "mfa_policy", "verify")

  # The roles get the names by which the configuration knows them.
  role = {
    for name, arn in { login = local.source.login_role_arn, export = local.source.export_role_arn } :
    name => regex("^arn:[^:]+:iam::[0-9]+:role(?P<path>/(?:.*/)?)(?P<name>[^/]+)$", arn)
  }
  pool_arn = "arn:${data.aws_partition.this.partition}:cognito-idp:${local.source.region}:${local.source.account}:userpool/${local.source.pool_id}"

  # The roles of the functions, as the target account's module names them. They
  # need not exist yet: a condition compares text.
  function_role_prefix = "arn:${data.aws_partition.this.partition}:iam::${var.target_account_id}:role/poolferry-${local.run}-"
}
