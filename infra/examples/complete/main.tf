# A whole migration: two accounts, two regions, one poolferry.yaml.

locals {
  configuration = file(var.configuration_file)
  settings      = yamldecode(local.configuration)
}

provider "aws" {
  alias               = "source"
  profile             = var.source_profile
  region              = local.settings.source.region
  allowed_account_ids = [local.settings.source.account]

  default_tags {
    tags = { poolferry = local.settings.run }
  }
}

provider "aws" {
  alias   = "target"
  profile = var.target_profile
  region  = local.settings.target.region

  default_tags {
    tags = { poolferry = local.settings.run }
  }
}

data "aws_caller_identity" "target" {
  provider = aws.target
}

module "source_account" {
  source    = "../../modules/source-account"
  providers = { aws = aws.source }

  configuration     = local.configuration
  target_account_id = data.aws_caller_identity.target.account_id
  operator_arn      = var.operator_arn
}

module "target_account" {
  source    = "../../modules/target-account"
  providers = { aws = aws.target }

  configuration    = local.configuration
  source_client_id = module.source_account.client_id
  target_pool_id   = module.target_pool.id
  probe_client_id  = module.target_pool.client_ids["app"]
  secret_arns      = var.secret_arns
  alarm_emails     = var.alarm_emails
  packages         = var.packages
}

# Leave this module out where the target pool exists already: write its id into
# poolferry.yaml, and set in its own Terraform state what the output existing_pool
# of target-account says.
module "target_pool" {
  source    = "../../modules/target-pool"
  providers = { aws = aws.target }

  name        = "customers"
  clients     = { app = {} }
  trigger_arn = module.target_account.trigger_arn

  # In cut-over trigger, guard and welcome are detached, and the app signs in by SRP alone. Set it
  # in terraform.tfvars, so that the next apply does not take it back.
  phase = var.phase

  # Beside the trigger: people may register, but not under a name of somebody who is
  # still to come; whoever has moved is in their groups at once.
  self_sign_up = true
  guard_arn    = module.target_account.guard_arn
  welcome_arn  = module.target_account.welcome_arn

  # For applications that go by the sub of the source pool. It stays after cut-over,
  # until this line is taken out.
  claim_arn = module.target_account.claim_arn

  # A pool that sends SMS by a role: sms = {role_arn = …} here, and in
  # target_account target_sms_role_arn = the same.
}
