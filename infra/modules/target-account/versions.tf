terraform {
  required_version = ">= 1.9.0" # validations that look at several variables

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100.0, < 6.0.0"
    }
  }
}
