# What the platform is told: one line for each setting, by the name that project/settings.py reads.

module "app_settings" {
  source = "../../modules/app_settings"

  name            = local.name
  secrets_key_arn = module.keys.arns["secrets"]

  settings = {
    AWS_REGION                   = local.region
    ESTEIRA_ALLOWED_HOSTS        = module.edge.allowed_hosts
    ESTEIRA_BATCH_EXECUTION_ROLE = module.batch_engine.execution_role_arn
    ESTEIRA_BATCH_FAIR_SHARE     = tostring(module.batch_engine.fair_share)
    ESTEIRA_BATCH_LOG_GROUP      = module.batch_engine.log_group
    ESTEIRA_BATCH_PLATFORM       = module.batch_engine.platform
    ESTEIRA_BATCH_PREFIX         = local.name
    ESTEIRA_BATCH_QUEUE          = module.batch_engine.queue_arns["on-demand"]
    ESTEIRA_BATCH_SPOT_QUEUE     = module.batch_engine.queue_arns["spot"]
    ESTEIRA_ENGINE               = "aws"
    ESTEIRA_EVENTS_QUEUE         = module.events.queue_url
    ESTEIRA_HTTPS                = "true"
    ESTEIRA_MANIFESTS            = "s3://${module.manifests.bucket}/runs"
    ESTEIRA_MAX_RETENTION_DAYS   = "3660"
    ESTEIRA_PRODUCTION           = "true"
    ESTEIRA_PUBLIC_URL           = module.edge.public_url
    ESTEIRA_RUNNER_URL           = module.edge.runner_url
    ESTEIRA_S3_BUCKET_RESULTS    = module.results.bucket
    ESTEIRA_S3_BUCKET_UPLOADS    = module.uploads.bucket
    ESTEIRA_S3_KMS_KEY           = module.keys.arns["storage"]
    ESTEIRA_S3_REGION            = local.region
    ESTEIRA_SCANNER              = "guardduty"
    ESTEIRA_SCRUB_DAYS           = "0"
    ESTEIRA_STATE_MACHINE        = module.workflow_engine.state_machine_arn
    ESTEIRA_STORAGE              = "s3"
    ESTEIRA_TRUSTED_ORIGINS      = module.edge.public_url
    ESTEIRA_TRUSTED_PROXIES      = module.network.cidr
    ESTEIRA_UPLOAD_TUS           = "off"
  }

  secrets = {
    secret-key  = "ESTEIRA_SECRET_KEY: 64 random characters"
    signing-key = "ESTEIRA_SIGNING_KEY: as openssl genpkey -algorithm ed25519 writes it"
    mail-url    = "ESTEIRA_MAIL_URL: the mail server with its password"
    smoke-token = "ESTEIRA_TOKEN: of the release's smoke test, a service account's (docs/release.md)"
  }
}
