# Every validation refuses what it is for. Each run changes one thing of a set that
# is accepted.

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

run "accepts_the_rest" {
  command = plan
}

run "refuses_a_long_name" {
  command = plan
  variables {
    name = format("poolferry-%060d", 0)
  }

  expect_failures = [var.name]
}

run "refuses_a_missing_package" {
  command = plan
  variables {
    package = "tests/testdata/none.zip"
  }

  expect_failures = [var.package]
}

run "refuses_another_architecture" {
  command = plan
  variables {
    architecture = "x86_64"
  }

  expect_failures = [var.architecture]
}

run "refuses_a_policy_that_is_none" {
  command = plan
  variables {
    policies = { own = "{}" }
  }

  expect_failures = [var.policies]
}

run "refuses_no_time" {
  command = plan
  variables {
    timeout = 0
  }

  expect_failures = [var.timeout]
}

run "refuses_sixteen_minutes" {
  command = plan
  variables {
    timeout = 960
  }

  expect_failures = [var.timeout]
}

run "refuses_too_little_memory" {
  command = plan
  variables {
    memory = 64
  }

  expect_failures = [var.memory]
}

run "refuses_too_much_memory" {
  command = plan
  variables {
    memory = 20480
  }

  expect_failures = [var.memory]
}

run "refuses_a_concurrency_of_none" {
  command = plan
  variables {
    reserved_concurrency = 0
  }

  expect_failures = [var.reserved_concurrency]
}

run "refuses_warmth_without_an_alias" {
  command = plan
  variables {
    provisioned_concurrency = 1
  }

  expect_failures = [var.provisioned_concurrency]
}

run "refuses_more_warm_than_reserved" {
  command = plan
  variables {
    alias                   = "live"
    reserved_concurrency    = 2
    provisioned_concurrency = 3
  }

  expect_failures = [var.provisioned_concurrency]
}

run "refuses_negative_warmth" {
  command = plan
  variables {
    alias                   = "live"
    provisioned_concurrency = -1
  }

  expect_failures = [var.provisioned_concurrency]
}

run "refuses_an_environment_of_4097_bytes" {
  command = plan
  variables {
    environment = { POOLFERRY_CONFIG = format("%04081d", 0) }
  }

  expect_failures = [aws_lambda_function.this]
}

run "accepts_an_environment_of_4096_bytes" {
  command = plan
  variables {
    environment = { POOLFERRY_CONFIG = format("%04080d", 0) }
  }
}

run "counts_bytes_and_not_characters" {
  command = plan
  variables {
    environment = { POOLFERRY_CONFIG = replace(format("%02100d", 0), "0", "é") }
  }

  expect_failures = [aws_lambda_function.this]
}
