variable "configuration_file" {
  description = "Path of poolferry.yaml."
  type        = string
  nullable    = false
  default     = "poolferry.yaml"
}

variable "source_profile" {
  description = "Profile of the AWS configuration for the account that users leave."
  type        = string
  nullable    = false
}

variable "target_profile" {
  description = "Profile of the AWS configuration for the account that users go to."
  type        = string
  nullable    = false
}

variable "operator_arn" {
  description = "The role or user of the target account that runs poolferry."
  type        = string
  nullable    = false
}

variable "secret_arns" {
  description = "The secrets that poolferry.yaml refers to, made beforehand."
  type        = map(string)
  nullable    = false
}

variable "alarm_emails" {
  description = "Who hears of alarms."
  type        = set(string)
  nullable    = false
  default     = []
}

variable "packages" {
  description = "Folder of the packages; null: dist, where make build leaves them."
  type        = string
  default     = null
}

variable "phase" {
  description = "migrating or cut-over."
  type        = string
  nullable    = false
  default     = "migrating"
}
