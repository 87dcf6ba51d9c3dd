output "client_id" {
  description = "Id of the migration's app client: source.client_id of poolferry.yaml."
  value       = aws_cognito_user_pool_client.migration.id
}

output "login_role_arn" {
  description = "The role that proves passwords: source.login_role_arn of poolferry.yaml."
  value       = aws_iam_role.login.arn
}

output "export_role_arn" {
  description = "The role that reads the directory: source.export_role_arn of poolferry.yaml."
  value       = aws_iam_role.export.arn
}

output "read_attributes" {
  description = "The attributes that tokens of the client hold. With profile id_token nothing else is migrated."
  value       = local.reads
}
