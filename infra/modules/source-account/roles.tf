resource "aws_iam_role" "login" {
  name                 = local.role.login.name
  path                 = local.role.login.path
  description          = "poolferry ${local.run}: proves passwords and reads one user at a time"
  permissions_boundary = var.permissions_boundary_arn

  assume_role_policy = templatefile("${path.module}/policies/login-trust.json", {
    partition       = data.aws_partition.this.partition
    target_account  = var.target_account_id
    lambda_role_arn = "${local.function_role_prefix}migrate-user"
    external_id     = local.source.external_id
  })

  lifecycle {
    precondition {
      condition     = data.aws_caller_identity.this.account_id == local.source.account
      error_message = "The provider's credentials are of account ${data.aws_caller_identity.this.account_id}, but source.account is ${local.source.account}."
    }
  }
}

resource "aws_iam_role_policy" "login" {
  name   = "login-role"
  role   = aws_iam_role.login.id
  policy = templatefile("${path.module}/policies/login-role.json", { source_pool_arn = local.pool_arn })
}

# Only mfa_policy verify answers a second-factor challenge at the source.
resource "aws_iam_role_policy" "login_mfa" {
  count = local.mfa_policy == "verify" ? 1 : 0

  name   = "login-role-mfa"
  role   = aws_iam_role.login.id
  policy = templatefile("${path.module}/policies/login-role-mfa.json", { source_pool_arn = local.pool_arn })
}

resource "aws_iam_role" "export" {
  name                 = local.role.export.name
  path                 = local.role.export.path
  description          = "poolferry ${local.run}: reads the directory and its settings"
  permissions_boundary = var.permissions_boundary_arn

  assume_role_policy = templatefile("${path.module}/policies/export-trust.json", {
    partition              = data.aws_partition.this.partition
    target_account         = var.target_account_id
    plan_seeding_role_arn  = "${local.function_role_prefix}plan-seeding"
    seed_batch_role_arn    = "${local.function_role_prefix}seed-batch"
    close_seeding_role_arn = "${local.function_role_prefix}close-seeding"
    operator_arn           = var.operator_arn
    external_id            = local.source.external_id
  })
}

resource "aws_iam_role_policy" "export" {
  name   = "export-role"
  role   = aws_iam_role.export.id
  policy = templatefile("${path.module}/policies/export-role.json", { source_pool_arn = local.pool_arn })
}
