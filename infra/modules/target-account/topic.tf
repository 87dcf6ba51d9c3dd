# Where alarms go, and the word that the migration is complete. Alarms cannot
# publish to a topic that is encrypted with AWS's own key.
resource "aws_sns_topic" "this" {
  name              = local.name
  display_name      = local.name
  kms_master_key_id = aws_kms_key.operations.arn
}

resource "aws_sns_topic_policy" "this" {
  arn = aws_sns_topic.this.arn
  policy = templatefile("${path.module}/policies/topic.json", {
    topic_arn      = aws_sns_topic.this.arn
    partition      = local.partition
    region         = local.region
    target_account = local.account
    run            = local.run
  })
}

resource "aws_sns_topic_subscription" "email" {
  for_each = var.alarm_emails

  topic_arn = aws_sns_topic.this.arn
  protocol  = "email"
  endpoint  = each.value
}
