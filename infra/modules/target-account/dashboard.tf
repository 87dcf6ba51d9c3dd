resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = local.name
  dashboard_body = templatefile("${path.module}/dashboard.json", {
    run                   = local.run
    region                = local.region
    name                  = local.name
    partition             = local.partition
    account               = local.account
    preseed_machine_arn   = local.machine_arn["preseed"]
    reconcile_machine_arn = local.machine_arn["reconcile"]
    tail_machine_arn      = local.machine_arn["tail"]
  })
}
