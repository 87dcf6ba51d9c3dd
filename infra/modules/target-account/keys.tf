# Two keys, so that the personal data of the staging bucket can be made
# unreadable for good, by deleting its key, while logs and alarms live on.

resource "aws_kms_key" "staging" {
  description             = "${local.name}: staged profiles"
  enable_key_rotation     = true
  deletion_window_in_days = var.key_deletion_days
  policy = templatefile("${path.module}/policies/staging-key.json", {
    partition      = local.partition
    target_account = local.account
  })
}

resource "aws_kms_alias" "staging" {
  name          = "alias/${local.name}-staging"
  target_key_id = aws_kms_key.staging.key_id
}

resource "aws_kms_key" "operations" {
  description             = "${local.name}: logs and alarms"
  enable_key_rotation     = true
  deletion_window_in_days = var.key_deletion_days
  policy = templatefile("${path.module}/policies/operations-key.json", {
    partition      = local.partition
    target_account = local.account
    region         = local.region
    dns_suffix     = local.dns_suffix
    run            = local.run
  })
}

resource "aws_kms_alias" "operations" {
  name          = "alias/${local.name}-operations"
  target_key_id = aws_kms_key.operations.key_id
}
