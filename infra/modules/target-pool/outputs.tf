output "id" {
  description = "Id of the pool: target.pool_id of poolferry.yaml."
  value       = aws_cognito_user_pool.this.id
}

output "arn" {
  description = "ARN of the pool."
  value       = aws_cognito_user_pool.this.arn
}

output "client_ids" {
  description = "Ids of the app clients, by name."
  value       = { for name, client in aws_cognito_user_pool_client.this : name => client.id }
}

output "phase" {
  description = "migrating or cut-over."
  value       = var.phase
}
