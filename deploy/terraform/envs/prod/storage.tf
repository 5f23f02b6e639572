module "keys" {
  source = "../../modules/keys"

  name = local.name
}

module "far_keys" {
  source    = "../../modules/keys"
  providers = { aws = aws.far }

  name = local.name
  only = ["storage"]
}

module "logs" {
  source = "../../modules/log_bucket"

  name = local.name
}

module "uploads" {
  source = "../../modules/file_store"

  bucket         = "${local.name}-uploads-${local.account}"
  kms_key_arn    = module.keys.arns["storage"]
  log_bucket     = module.logs.bucket
  retention_days = 365
  cors_origin    = "https://${local.domain}"
  scan           = true
}

module "results" {
  source = "../../modules/file_store"

  bucket         = "${local.name}-results-${local.account}"
  kms_key_arn    = module.keys.arns["storage"]
  log_bucket     = module.logs.bucket
  retention_days = 1826
  folder         = "results/" # code/, of pipelines, is kept for good

  replica = {
    bucket_arn  = module.results_copy.arn
    kms_key_arn = module.far_keys.arns["storage"]
  }
}

module "results_copy" {
  source    = "../../modules/file_store"
  providers = { aws = aws.far }

  bucket         = "${local.name}-results-copy-${local.account}"
  kms_key_arn    = module.far_keys.arns["storage"]
  retention_days = 1826
  folder         = "results/" # code/, of pipelines, is kept for good
}

# Lists of the items of runs: small, and of use only while a run can still be retried.
module "manifests" {
  source = "../../modules/file_store"

  bucket         = "${local.name}-manifests-${local.account}"
  kms_key_arn    = module.keys.arns["storage"]
  log_bucket     = module.logs.bucket
  retention_days = 90
  net_days       = 30
  tiered         = false
}

module "shared_folder" {
  source = "../../modules/shared_folder"

  name              = local.name
  subnet_ids        = module.network.private_subnet_ids
  security_group_id = module.network.security_group_ids["folder"]
  kms_key_arn       = module.keys.arns["storage"]
}
