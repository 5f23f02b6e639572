module "registry" {
  source = "../../modules/registry"

  name         = local.name
  repositories = { platform = { keep = 100 }, steps = { keep = 1000 } }
  kms_key_arn  = module.keys.arns["storage"]
}

module "cluster" {
  source = "../../modules/cluster"

  name                   = local.name
  subnet_ids             = module.network.private_subnet_ids
  pods_security_group_id = module.network.security_group_ids["pods"]
  access                 = { platform = { principal_arn = local.admin, policy = "AmazonEKSClusterAdminPolicy" } }
  kms_key_arn            = module.keys.arns["cluster"]
  logs_key_arn           = module.keys.arns["logs"]

  node_groups = {
    on-demand = { capacity_type = "ON_DEMAND", instance_types = ["m7i.large"], min = 3, max = 12 }
    spot      = { capacity_type = "SPOT", instance_types = ["m7i.large", "m6i.large", "m5.large", "m7a.large"], min = 1, max = 24 }
  }
}

module "workload_roles" {
  source = "../../modules/workload_roles"

  cluster_name              = local.name
  oidc_provider_arn         = module.cluster.oidc_provider_arn
  oidc_issuer               = module.cluster.oidc_issuer
  target_group_arn          = module.edge.target_group_arn
  secrets_key_arn           = module.keys.arns["secrets"]
  database_owner_secret_arn = module.database.owner_secret_arn

  names = {
    prefix           = local.name
    state_machine    = module.workflow_engine.state_machine_name
    events_queue     = module.events.queue_name
    events_key       = module.keys.arns["events"]
    storage_key      = module.keys.arns["storage"]
    steps_role       = module.batch_engine.execution_role_arn
    uploads_bucket   = module.uploads.bucket
    results_bucket   = module.results.bucket
    manifests_bucket = module.manifests.bucket
  }
}
