output "configuration" {
  description = "poolferry.yaml with the ids that exist now: terraform output -raw configuration > poolferry.yaml"
  value       = module.target_account.configuration
}

output "target_pool_id" {
  description = "The pool that users go to."
  value       = module.target_pool.id
}

output "target_client_ids" {
  description = "Ids of its app clients, by name."
  value       = module.target_pool.client_ids
}

output "dashboard_name" {
  description = "The CloudWatch dashboard of the run."
  value       = module.target_account.dashboard_name
}

output "operator_policy" {
  description = "IAM policy document for who runs the command line tool: terraform output -raw operator_policy"
  value       = module.target_account.operator_policy
}

output "phase" {
  description = "migrating or cut-over."
  value       = module.target_pool.phase
}
