mock_provider "aws" {
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::444455556666:role/poolferry-test" }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:eu-west-1:444455556666:log-group:/aws/lambda/poolferry-test" }
  }
  mock_resource "aws_lambda_function" {
    defaults = { arn = "arn:aws:lambda:eu-west-1:444455556666:function:poolferry-test", version = "7" }
  }
}

variables {
  name               = "poolferry-test"
  description        = "does nothing"
  package            = "tests/testdata/empty.zip"
  architecture       = "arm64"
  policies           = { own = "{\"Version\": \"2012-10-17\", \"Statement\": []}" }
  timeout            = 5
  memory             = 128
  environment        = { POOLFERRY_CONFIG = "{}" }
  log_retention_days = 30
  log_key_arn        = "arn:aws:kms:eu-west-1:444455556666:key/00000000-0000-4000-8000-000000000002"
}

run "plain" {
  command = apply

  assert {
    condition     = keys(aws_iam_role_policy.this) == ["own"] && aws_iam_role_policy.this["own"].policy == var.policies.own
    error_message = "The role may do something else."
  }
  assert {
    condition     = jsondecode(aws_iam_role.this.assume_role_policy).Statement[0].Principal.Service == "lambda.amazonaws.com"
    error_message = "Somebody else may be the function."
  }
  assert {
    condition     = aws_cloudwatch_log_group.this.name == "/aws/lambda/poolferry-test" && aws_cloudwatch_log_group.this.retention_in_days == 30 && aws_cloudwatch_log_group.this.kms_key_id == var.log_key_arn
    error_message = "The log group is not as asked."
  }
  assert {
    condition     = aws_lambda_function.this.runtime == "provided.al2023" && aws_lambda_function.this.architectures == tolist(["arm64"]) && aws_lambda_function.this.source_code_hash == filebase64sha256(var.package)
    error_message = "The function is not what was built."
  }
  assert {
    condition     = aws_lambda_function.this.reserved_concurrent_executions == -1 && !aws_lambda_function.this.publish && length(aws_lambda_alias.this) == 0
    error_message = "Something is reserved or published that was not asked for."
  }
  assert {
    condition     = aws_lambda_function.this.logging_config[0].log_format == "Text" && aws_lambda_function.this.logging_config[0].log_group == aws_cloudwatch_log_group.this.name
    error_message = "Metric lines do not get through as they are."
  }
}

run "warm_alias" {
  command = apply
  variables {
    architecture            = "amd64"
    alias                   = "live"
    reserved_concurrency    = 20
    provisioned_concurrency = 5
  }

  assert {
    condition     = aws_lambda_function.this.architectures == tolist(["x86_64"]) && aws_lambda_function.this.publish && aws_lambda_function.this.reserved_concurrent_executions == 20
    error_message = "No version is published for the alias."
  }
  assert {
    condition     = aws_lambda_alias.this[0].function_version == aws_lambda_function.this.version && aws_lambda_provisioned_concurrency_config.this[0].qualifier == "live" && aws_lambda_provisioned_concurrency_config.this[0].provisioned_concurrent_executions == 5
    error_message = "The alias is not kept warm."
  }
}

run "in_a_network" {
  command = plan
  variables {
    network = { subnet_ids = ["subnet-1"], security_group_ids = ["sg-1"] }
  }

  assert {
    condition     = keys(aws_iam_role_policy.this) == ["own", "vpc"] && aws_lambda_function.this.vpc_config[0].subnet_ids == toset(["subnet-1"])
    error_message = "The function cannot make its network interfaces."
  }
}
