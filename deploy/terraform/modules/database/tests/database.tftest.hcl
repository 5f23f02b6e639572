mock_provider "aws" {
  source          = "../../mocks"
  override_during = plan
}

variables {
  name                       = "esteira-test"
  capacity                   = { min = 2, max = 64 }
  instances                  = { one = { promotion_tier = 0 }, two = { promotion_tier = 1 } }
  subnet_ids                 = ["subnet-a", "subnet-b", "subnet-c"]
  function_subnet_ids        = ["subnet-d"]
  security_group_id          = "sg-a"
  rotation_security_group_id = "sg-b"
  kms_key_arn                = "arn:aws:kms:us-east-1:123456789012:key/a"
  secrets_key_arn            = "arn:aws:kms:us-east-1:123456789012:key/b"
  logs_key_arn               = "arn:aws:kms:us-east-1:123456789012:key/c"
  insights                   = true
}

run "a_reader_stands_by_in_another_zone" {
  command = plan

  assert {
    condition     = length(aws_rds_cluster_instance.this) == 2 && alltrue([for one in aws_rds_cluster_instance.this : one.promotion_tier <= 1])
    error_message = "A second instance, as large as the writer, must be able to take over."
  }

  assert {
    condition     = alltrue([for one in aws_rds_cluster_instance.this : !one.publicly_accessible && one.instance_class == "db.serverless"])
    error_message = "No instance may be reached from the internet."
  }
}

run "data_is_encrypted_kept_and_not_lost_by_mistake" {
  command = plan

  assert {
    condition     = aws_rds_cluster.this.storage_encrypted && aws_rds_cluster.this.kms_key_id == var.kms_key_arn
    error_message = "Storage must be encrypted with our key."
  }

  assert {
    condition     = aws_rds_cluster.this.backup_retention_period == 35
    error_message = "It must be possible to go back to any second of 35 days."
  }

  assert {
    condition     = aws_rds_cluster.this.deletion_protection && !aws_rds_cluster.this.skip_final_snapshot
    error_message = "It must not be possible to delete it in one go, nor without a last snapshot."
  }
}

run "people_and_processes_sign_in_safely" {
  command = plan

  assert {
    condition     = aws_rds_cluster.this.iam_database_authentication_enabled
    error_message = "People must be able to sign in by IAM."
  }

  assert {
    condition     = anytrue([for said in aws_rds_cluster_parameter_group.this.parameter : said.name == "rds.force_ssl" && said.value == "1"])
    error_message = "Connections without TLS must be refused."
  }

  assert {
    condition     = aws_rds_cluster.this.manage_master_user_password && aws_rds_cluster.this.master_user_secret_kms_key_id == var.secrets_key_arn
    error_message = "The master's password must be RDS's own business."
  }

  assert {
    condition     = output.owner_secret_arn == aws_rds_cluster.this.master_user_secret[0].secret_arn
    error_message = "Migrations must sign in as the master."
  }

  assert {
    condition     = aws_secretsmanager_secret_rotation.app.rotation_rules[0].automatically_after_days == 30 && aws_secretsmanager_secret_rotation.master.rotation_rules[0].automatically_after_days == 7
    error_message = "Both passwords must turn by themselves."
  }
}

run "what_happens_is_logged_and_measured" {
  command = plan

  assert {
    condition     = toset(aws_rds_cluster.this.enabled_cloudwatch_logs_exports) == toset(["postgresql", "iam-db-auth-error"])
    error_message = "Its log and refused sign-ins must reach CloudWatch."
  }

  assert {
    condition     = aws_rds_cluster.this.database_insights_mode == "advanced" && aws_rds_cluster.this.performance_insights_retention_period == 465
    error_message = "The advanced mode wants 465 days, or RDS refuses it."
  }

  assert {
    condition     = alltrue([for group in aws_cloudwatch_log_group.this : group.kms_key_id == var.logs_key_arn && group.retention_in_days == 365])
    error_message = "Its logs must be encrypted and kept for a year."
  }

  assert {
    condition     = output.max_connections == 5000
    error_message = "Alarms must know how many connections there are."
  }
}

run "staging_sleeps" {
  command = plan

  variables {
    capacity  = { min = 0, max = 8 }
    instances = { one = { promotion_tier = 0 } }
    insights  = false
  }

  assert {
    condition     = aws_rds_cluster.this.serverlessv2_scaling_configuration[0].seconds_until_auto_pause == 3600
    error_message = "From nothing it must sleep after an hour."
  }

  assert {
    condition     = output.max_connections == 1802
    error_message = "Alarms must know how many connections there are."
  }
}

run "no_backup_is_refused" {
  command = plan

  variables {
    backup_days = 1
  }

  expect_failures = [var.backup_days]
}
