# What is yours: change these before the first apply.

locals {
  name   = "esteira-prod"
  domain = "esteira.example.org"
  zone   = "Z0123456789ABCDEFGHIJ"
  people = { on-call = "on-call@example.org" }
  admin  = "arn:aws:iam::${local.account}:role/platform-engineers"

  # CloudFront's own security group: null for the first apply, its id for the second (modules/network).
  cloudfront_security_group_id = null

  account = data.aws_caller_identity.current.account_id
  region  = data.aws_region.current.region
}

data "aws_caller_identity" "current" {}

data "aws_region" "current" {}
