module "edge" {
  source    = "../../modules/edge"
  providers = { aws = aws, aws.edge = aws.edge }

  name              = local.name
  domain            = local.domain
  origin_domain     = "origin.${local.domain}"
  zone_id           = local.zone
  vpc_id            = module.network.vpc_id
  subnet_ids        = module.network.private_subnet_ids
  security_group_id = module.network.security_group_ids["alb"]
  log_bucket        = module.logs.bucket
  edge_logs_key_arn = module.keys.arns["logs"]
  health_check      = false # it sleeps at night
}
