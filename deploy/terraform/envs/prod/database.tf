module "database" {
  source = "../../modules/database"

  name                       = local.name
  capacity                   = { min = 2, max = 64 }
  instances                  = { one = { promotion_tier = 0 }, two = { promotion_tier = 1 } }
  insights                   = true
  subnet_ids                 = module.network.database_subnet_ids
  function_subnet_ids        = module.network.private_subnet_ids
  security_group_id          = module.network.security_group_ids["database"]
  rotation_security_group_id = module.network.security_group_ids["rotation"]
  kms_key_arn                = module.keys.arns["database"]
  secrets_key_arn            = module.keys.arns["secrets"]
  logs_key_arn               = module.keys.arns["logs"]
}
