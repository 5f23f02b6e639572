module "off_hours" {
  source = "../../modules/off_hours"

  name         = local.name
  cluster_name = module.cluster.name
  kms_key_arn  = module.keys.arns["events"]

  node_groups = {
    on-demand = { name = module.cluster.node_group_names["on-demand"], night_size = 1, day_size = 2 }
    spot      = { name = module.cluster.node_group_names["spot"], night_size = 0, day_size = 0 }
  }
}
