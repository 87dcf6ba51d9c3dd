data "aws_cognito_user_pool" "source" {
  count = var.source_attributes == null ? 1 : 0

  user_pool_id = local.source.pool_id
}

locals {
  defined = var.source_attributes != null ? var.source_attributes : toset(data.aws_cognito_user_pool.source[0].schema_attributes[*].name)

  # What the mapping reads, as Mapping.Reads in internal/userpool: everything but
  # what is dropped, and what a rule copies even so. Cognito owns sub, identities
  # and cognito:*.
  copied  = toset([for rule in local.rules : rule.copy.from if can(rule.copy.from)])
  dropped = setsubtract(toset([for rule in local.rules : rule.drop if can(tostring(rule.drop))]), local.copied)
  reads = setsubtract(
    toset([for name in local.defined : name if !contains(["sub", "identities"], name) && !startswith(name, "cognito:")]),
    local.dropped
  )
}

# A client of the migration's own: no existing one needs another flow, its
# tokens may read what the mapping needs and no more, and deleting it ends the
# migration for good.
resource "aws_cognito_user_pool_client" "migration" {
  name         = "poolferry-${local.run}"
  user_pool_id = local.source.pool_id

  explicit_auth_flows = ["ALLOW_ADMIN_USER_PASSWORD_AUTH"]
  read_attributes     = local.reads

  # The trigger throws the tokens away; these are the shortest lives there are.
  access_token_validity  = 5
  id_token_validity      = 5
  refresh_token_validity = 60
  token_validity_units {
    access_token  = "minutes"
    id_token      = "minutes"
    refresh_token = "minutes"
  }

  # The trigger has to tell an unknown user from a wrong password. Nobody else
  # sees the difference: this flow needs the login role.
  prevent_user_existence_errors = "LEGACY"
  enable_token_revocation       = true

  # AdminInitiateAuth needs IAM already; a secret would lie in Terraform's state.
  generate_secret = false

  lifecycle {
    precondition {
      condition     = data.aws_region.this.name == local.source.region
      error_message = "The provider is of region ${data.aws_region.this.name}, but source.region is ${local.source.region}."
    }
    precondition {
      condition     = length(local.reads) > 0
      error_message = "The mapping drops every attribute of the source pool; a client that may read none is one that may read all."
    }
  }
}
