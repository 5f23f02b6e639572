module "observability" {
  source    = "../../modules/observability"
  providers = { aws = aws, aws.edge = aws.edge }

  name         = local.name
  mail_to      = local.people
  logs_key_arn = module.keys.arns["logs"]
  cluster_name = local.name
  backup_vault = local.name
  drill_at     = "cron(0 14 ? JAN,APR,JUL,OCT TUE#1 *)"

  edge = {
    load_balancer    = module.edge.load_balancer_suffix
    target_group     = module.edge.target_group_suffix
    distribution     = module.edge.distribution_id
    web_acl          = module.edge.web_acl_name
    logs_key_arn     = module.keys.arns["logs"]
    certificate_arns = module.edge.certificate_arns
    health_checks    = module.edge.health_checks
    signed_zones     = module.edge.signed_zones
  }

  database = {
    id              = local.name
    max_connections = module.database.max_connections
    vcpus           = 2
    has_reader      = false
  }

  engine = {
    state_machine_arn = module.workflow_engine.state_machine_arn
    failed_executions = 20
    events_queue      = module.events.queue_name
    dead_letter_queue = module.events.dead_letter_name
    event_rules       = module.events.rule_names
  }
}

module "backup" {
  source    = "../../modules/backup"
  providers = { aws = aws, aws.far = aws.far }

  name          = local.name
  resource_arns = { database = module.database.cluster_arn }
  lock          = false
  topic_arn     = module.observability.topic_arn
}

module "security_baseline" {
  source = "../../modules/security_baseline"

  name             = local.name
  logs_key_arn     = module.keys.arns["logs"]
  watched_buckets  = [module.uploads.bucket, module.results.bucket, module.manifests.bucket, "${local.name}-state-${local.account}"]
  config_frequency = "DAILY"
}

module "cost_guard" {
  source = "../../modules/cost_guard"

  name        = local.name
  environment = "staging"
  usd_a_month = 900
  mail_to     = local.people
}
