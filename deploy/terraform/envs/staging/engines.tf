module "workflow_engine" {
  source = "../../modules/workflow_engine"

  name         = local.name
  logs_key_arn = module.keys.arns["logs"]
}

module "batch_engine" {
  source = "../../modules/batch_engine"

  name              = local.name
  max_vcpus         = { on-demand = 32, spot = 128 }
  subnet_ids        = module.network.private_subnet_ids
  security_group_id = module.network.security_group_ids["batch"]
  logs_key_arn      = module.keys.arns["logs"]
}

module "events" {
  source = "../../modules/events"

  name               = local.name
  kms_key_arn        = module.keys.arns["events"]
  state_machine_name = module.workflow_engine.state_machine_name
  uploads_bucket     = module.uploads.bucket
}
