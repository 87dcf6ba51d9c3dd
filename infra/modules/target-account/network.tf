# For accounts where functions have to be in a VPC. The source pool is usually in
# another region, which no endpoint of this one reaches: that call leaves through
# the NAT gateway of the subnets.

locals {
  # What the functions call in this region. S3's endpoint is a route, at no cost.
  interface_endpoints = toset(var.network != null && try(var.network.create_endpoints, false) ? ["sts", "cognito-idp", "secretsmanager", "logs"] : [])
}

resource "aws_security_group" "functions" {
  count = var.network == null ? 0 : 1

  name        = "${local.name}-functions"
  description = "poolferry ${local.run}: functions"
  vpc_id      = var.network.vpc_id
}

resource "aws_vpc_security_group_egress_rule" "functions" {
  count = var.network == null ? 0 : 1

  security_group_id = aws_security_group.functions[0].id
  description       = "HTTPS to AWS, in this and in the source pool's region"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  cidr_ipv4         = "0.0.0.0/0"
}

resource "aws_security_group" "endpoints" {
  count = length(local.interface_endpoints) > 0 ? 1 : 0

  name        = "${local.name}-endpoints"
  description = "poolferry ${local.run}: interface endpoints"
  vpc_id      = var.network.vpc_id
}

resource "aws_vpc_security_group_ingress_rule" "endpoints" {
  count = length(local.interface_endpoints) > 0 ? 1 : 0

  security_group_id            = aws_security_group.endpoints[0].id
  description                  = "HTTPS from the functions"
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
  referenced_security_group_id = aws_security_group.functions[0].id
}

resource "aws_vpc_endpoint" "interface" {
  for_each = local.interface_endpoints

  vpc_id              = var.network.vpc_id
  service_name        = "com.amazonaws.${local.region}.${each.key}"
  vpc_endpoint_type   = "Interface"
  private_dns_enabled = true
  subnet_ids          = var.network.subnet_ids
  security_group_ids  = [aws_security_group.endpoints[0].id]
}

resource "aws_vpc_endpoint" "s3" {
  count = length(local.interface_endpoints) > 0 ? 1 : 0

  vpc_id            = var.network.vpc_id
  service_name      = "com.amazonaws.${local.region}.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = var.network.route_table_ids
}
