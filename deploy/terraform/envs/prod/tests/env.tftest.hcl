mock_provider "aws" {
  source          = "../../mocks"
  override_during = plan
}

mock_provider "aws" {
  alias           = "edge"
  source          = "../../mocks"
  override_during = plan
}

mock_provider "aws" {
  alias           = "far"
  source          = "../../mocks"
  override_during = plan
}

run "the_environment_fits_together" {
  command = plan

  assert {
    condition     = length(module.network.private_subnet_ids) == 3 && length(module.network.database_subnet_ids) == 3
    error_message = "Machines and database must stand in three zones."
  }

  assert {
    condition     = module.database.max_connections == 5000
    error_message = "Production's database must have its connections."
  }

  assert {
    condition     = toset(keys(module.batch_engine.queue_arns)) == toset(["on-demand", "spot"]) && module.batch_engine.fair_share
    error_message = "Batch must have machines of both kinds, in fair shares."
  }

  assert {
    condition     = toset(["web", "worker", "consumer", "migrate", "operator"]) == setintersection(keys(output.role_arns), ["web", "worker", "consumer", "migrate", "operator"])
    error_message = "Every process must have its role."
  }

  assert {
    condition     = contains(module.observability.alarm_names, "esteira-prod-database-replica-behind")
    error_message = "A reader stands by and must be watched."
  }

  assert {
    condition     = module.uploads.bucket == "esteira-prod-uploads-123456789012" && module.results_copy.bucket == "esteira-prod-results-copy-123456789012"
    error_message = "Buckets must bear the account's number, and results have a copy."
  }
}
