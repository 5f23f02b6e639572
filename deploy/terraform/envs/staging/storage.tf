module "keys" {
  source = "../../modules/keys"

  name = local.name
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
  scan           = false
}

module "results" {
  source = "../../modules/file_store"

  bucket         = "${local.name}-results-${local.account}"
  kms_key_arn    = module.keys.arns["storage"]
  log_bucket     = module.logs.bucket
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
