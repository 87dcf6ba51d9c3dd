# One Lambda function: its own role, its own log group, and what belongs to them.

locals {
  # Only in a VPC does a function need network interfaces.
  policies = merge(var.policies, var.network == null ? {} : { vpc = file("${path.module}/../target-account/policies/vpc.json") })
}

resource "aws_iam_role" "this" {
  name                 = var.name
  description          = "Execution role: ${var.description}"
  assume_role_policy   = file("${path.module}/../target-account/policies/lambda-trust.json")
  permissions_boundary = var.permissions_boundary_arn
}

resource "aws_iam_role_policy" "this" {
  for_each = local.policies

  name   = each.key
  role   = aws_iam_role.this.id
  policy = each.value
}

# Made here and not by Lambda, which would keep the lines for ever and in clear.
resource "aws_cloudwatch_log_group" "this" {
  name              = "/aws/lambda/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.log_key_arn
}

resource "aws_lambda_function" "this" {
  function_name = var.name
  description   = var.description
  role          = aws_iam_role.this.arn

  filename         = var.package
  source_code_hash = filebase64sha256(var.package)
  runtime          = "provided.al2023"
  handler          = "bootstrap" # not read by this runtime, but asked for
  architectures    = [var.architecture == "amd64" ? "x86_64" : "arm64"]
  publish          = var.alias != null

  timeout                        = var.timeout
  memory_size                    = var.memory
  reserved_concurrent_executions = var.reserved_concurrency == null ? -1 : var.reserved_concurrency

  environment {
    variables = var.environment
  }

  # The function writes lines of JSON itself, metrics among them, which
  # CloudWatch must find as they are. Format JSON would wrap or filter them.
  logging_config {
    log_format = "Text"
    log_group  = aws_cloudwatch_log_group.this.name
  }

  dynamic "vpc_config" {
    for_each = var.network == null ? [] : [var.network]
    content {
      subnet_ids         = vpc_config.value.subnet_ids
      security_group_ids = vpc_config.value.security_group_ids
    }
  }

  lifecycle {
    precondition {
      # Base64 has four characters for three bytes; length() counts characters.
      condition     = sum([for name, value in var.environment : length(name) + ceil(length(base64encode(value)) * 3 / 4)]) <= 4096
      error_message = "The environment of ${var.name} has more than the 4096 bytes that Lambda allows: shorten the mapping of poolferry.yaml."
    }
  }

  # A function whose role may not write its log or make its network interface
  # fails from its first start on.
  depends_on = [aws_iam_role_policy.this]
}

resource "aws_lambda_alias" "this" {
  count = var.alias == null ? 0 : 1

  name             = var.alias
  description      = "The version that is called"
  function_name    = aws_lambda_function.this.function_name
  function_version = aws_lambda_function.this.version
}

resource "aws_lambda_provisioned_concurrency_config" "this" {
  count = var.provisioned_concurrency > 0 ? 1 : 0

  function_name                     = aws_lambda_function.this.function_name
  qualifier                         = aws_lambda_alias.this[0].name
  provisioned_concurrent_executions = var.provisioned_concurrency
}
