# The passwords turn by themselves: the master's by RDS, the platform's by the function that AWS publishes for it.

data "aws_region" "current" {}

resource "aws_secretsmanager_secret_rotation" "master" {
  secret_id = aws_rds_cluster.this.master_user_secret[0].secret_arn

  rotation_rules {
    automatically_after_days = 7
  }
}

resource "aws_secretsmanager_secret" "app" {
  name                    = "${var.name}/database"
  description             = "How the platform signs in to its database. Rotated; its value is not Terraform's."
  kms_key_id              = var.secrets_key_arn
  recovery_window_in_days = 30
}

# The form that the function understands. The password comes with the first rotation.
resource "aws_secretsmanager_secret_version" "app" {
  secret_id = aws_secretsmanager_secret.app.id

  secret_string = jsonencode({
    engine    = "postgres"
    host      = aws_rds_cluster.this.endpoint
    port      = local.port
    dbname    = "esteira"
    username  = "esteira_app"
    password  = "set-by-the-first-rotation"
    masterarn = aws_rds_cluster.this.master_user_secret[0].secret_arn
  })

  lifecycle {
    # After the first rotation the value is the function's; writing ours again would lock the platform out.
    ignore_changes = [secret_string]
  }
}

resource "aws_secretsmanager_secret_rotation" "app" {
  secret_id           = aws_secretsmanager_secret.app.id
  rotation_lambda_arn = aws_serverlessapplicationrepository_cloudformation_stack.rotation.outputs["RotationLambdaARN"]
  # At once, the user would not be there yet.
  rotate_immediately = false

  rotation_rules {
    automatically_after_days = 30
  }

  depends_on = [aws_secretsmanager_secret_version.app]
}

resource "aws_serverlessapplicationrepository_cloudformation_stack" "rotation" {
  name           = "${var.name}-rotate"
  application_id = "arn:aws:serverlessrepo:us-east-1:297356227824:applications/SecretsManagerRDSPostgreSQLRotationMultiUser"
  capabilities   = ["CAPABILITY_IAM", "CAPABILITY_RESOURCE_POLICY"]

  parameters = {
    endpoint            = "https://secretsmanager.${data.aws_region.current.region}.amazonaws.com"
    functionName        = "${var.name}-rotate"
    vpcSubnetIds        = join(",", var.function_subnet_ids)
    vpcSecurityGroupIds = var.rotation_security_group_id
    masterSecretArn     = aws_rds_cluster.this.master_user_secret[0].secret_arn
    kmsKeyArn           = var.secrets_key_arn
    # They would need escaping in DATABASE_URL.
    excludeCharacters = ":/@\"'\\?#[]%&+= "
  }
}
