output "arn" {
  description = "ARN of the function, unqualified."
  value       = aws_lambda_function.this.arn
}

output "name" {
  description = "Name of the function, once it exists."
  value       = aws_lambda_function.this.function_name
}

output "alias_arn" {
  description = "ARN of the alias; null without one."
  value       = one(aws_lambda_alias.this[*].arn)
}

output "role_arn" {
  description = "ARN of the execution role."
  value       = aws_iam_role.this.arn
}

output "log_group_name" {
  description = "Name of the log group."
  value       = aws_cloudwatch_log_group.this.name
}
