module "network" {
  source = "../../modules/network"

  name                         = local.name
  cidr                         = "10.21.0.0/16"
  nat_per_zone                 = false
  private_endpoints            = false
  log_bucket_arn               = module.logs.arn
  cloudfront_security_group_id = local.cloudfront_security_group_id
}
