# Aurora PostgreSQL, Serverless v2: a writer and, in production, a reader in another zone that takes over by itself.
#
# **Who signs in.** The master owns the tables; its password is made, kept and rotated by RDS, and migrations alone are
# given it. The platform signs in as `esteira_app`, which changes no table, with a password in Secrets Manager that is
# rotated every 30 days by AWS's own function, which changes between two users, so that the password in use goes on
# working until the next turn; the twin `esteira_app_clone` is a member of the first, with its rights. People sign in by
# IAM (`rds-db:connect`), for which no password exists. The platform does not use IAM itself: its broker's connections
# live longer than a token.
#
# **The first time** `esteira_app` does not exist yet: the first migration makes it, with the password of Terraform's,
# which is in this file. Two turns take it away (docs/deploy.md).

locals {
  port = 5432
}

resource "aws_db_subnet_group" "this" {
  name       = var.name
  subnet_ids = var.subnet_ids
}

resource "aws_rds_cluster_parameter_group" "this" {
  name_prefix = "${var.name}-"
  family      = "aurora-postgresql17"

  parameter {
    name  = "rds.force_ssl"
    value = "1"
  }

  parameter {
    name  = "log_statement"
    value = "ddl"
  }

  parameter {
    name  = "log_min_duration_statement"
    value = "1000"
  }

  parameter {
    name  = "log_connections"
    value = "1"
  }

  parameter {
    name  = "log_disconnections"
    value = "1"
  }

  parameter {
    name  = "timezone"
    value = "UTC"
  }

  parameter {
    name         = "shared_preload_libraries"
    value        = "pg_stat_statements"
    apply_method = "pending-reboot"
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_rds_cluster" "this" {
  # checkov:skip=CKV2_AWS_8:The module backup puts it under AWS Backup, by its ARN.
  # checkov:skip=CKV2_AWS_27:Statements that change the schema and slow ones are logged; all of them would hold data of people.
  cluster_identifier = var.name
  engine             = "aurora-postgresql"
  engine_mode        = "provisioned"
  engine_version     = "17"
  database_name      = "esteira"
  port               = local.port

  master_username               = "esteira_master"
  manage_master_user_password   = true
  master_user_secret_kms_key_id = var.secrets_key_arn

  storage_encrypted                   = true
  kms_key_id                          = var.kms_key_arn
  iam_database_authentication_enabled = true
  db_subnet_group_name                = aws_db_subnet_group.this.name
  vpc_security_group_ids              = [var.security_group_id]
  db_cluster_parameter_group_name     = aws_rds_cluster_parameter_group.this.name

  # So far back it can be restored to any second.
  backup_retention_period      = var.backup_days
  preferred_backup_window      = "05:00-06:00"
  preferred_maintenance_window = "sun:06:30-sun:07:30"
  copy_tags_to_snapshot        = true
  deletion_protection          = true
  skip_final_snapshot          = false
  final_snapshot_identifier    = "${var.name}-final"
  apply_immediately            = false
  allow_major_version_upgrade  = false
  engine_lifecycle_support     = "open-source-rds-extended-support-disabled"

  enabled_cloudwatch_logs_exports = ["postgresql", "iam-db-auth-error"]

  database_insights_mode                = var.insights ? "advanced" : "standard"
  performance_insights_enabled          = true
  performance_insights_kms_key_id       = var.kms_key_arn
  performance_insights_retention_period = var.insights ? 465 : 7

  serverlessv2_scaling_configuration {
    min_capacity = var.capacity.min
    max_capacity = var.capacity.max
    # Only what may sleep has a time after which it does.
    seconds_until_auto_pause = var.capacity.min == 0 ? 3600 : null
  }

  lifecycle {
    prevent_destroy = true
    # Minor versions are RDS's own business.
    ignore_changes = [engine_version]
  }

  # RDS would make them itself, unencrypted and without an end.
  depends_on = [aws_cloudwatch_log_group.this]
}

resource "aws_rds_cluster_instance" "this" {
  for_each = var.instances

  identifier                 = "${var.name}-${each.key}"
  cluster_identifier         = aws_rds_cluster.this.id
  instance_class             = "db.serverless"
  engine                     = aws_rds_cluster.this.engine
  promotion_tier             = each.value.promotion_tier
  publicly_accessible        = false
  auto_minor_version_upgrade = true
  copy_tags_to_snapshot      = true
  ca_cert_identifier         = "rds-ca-rsa2048-g1"
  monitoring_interval        = 60
  monitoring_role_arn        = aws_iam_role.monitoring.arn

  performance_insights_enabled    = true
  performance_insights_kms_key_id = var.kms_key_arn
}

resource "aws_cloudwatch_log_group" "this" {
  for_each = toset(["postgresql", "iam-db-auth-error"])

  name              = "/aws/rds/cluster/${var.name}/${each.key}"
  retention_in_days = 365
  kms_key_id        = var.logs_key_arn
}

resource "aws_iam_role" "monitoring" {
  name               = "${var.name}-database-monitoring"
  assume_role_policy = data.aws_iam_policy_document.monitoring_trust.json
}

data "aws_iam_policy_document" "monitoring_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["monitoring.rds.amazonaws.com"]
    }
  }
}

resource "aws_iam_role_policy_attachment" "monitoring" {
  role       = aws_iam_role.monitoring.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"
}
