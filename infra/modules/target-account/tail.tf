# What an import job writes its log as: Cognito takes the role on and makes the log
# group, /aws/cognito/userpools/POOL_ID/POOL_NAME, by itself. The lines have numbers
# of rows and no names.

resource "aws_iam_role" "import_log" {
  name                 = local.import_log_role
  description          = "poolferry ${local.run}: import jobs of the target pool write their log"
  permissions_boundary = var.permissions_boundary_arn
  assume_role_policy = templatefile("${path.module}/policies/import-log-trust.json", {
    target_account  = local.account
    target_pool_arn = local.target_pool_arn
  })
}

resource "aws_iam_role_policy" "import_log" {
  name = "import-log"
  role = aws_iam_role.import_log.id
  policy = templatefile("${path.module}/policies/import-log.json", {
    partition      = local.partition
    region         = local.region
    target_account = local.account
  })
}
