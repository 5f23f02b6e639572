# What the platform is told of all this: its settings as parameters, its secrets as empty secrets that a person fills once.
# The cluster's External Secrets reads both; nothing is copied by hand (deploy/terraform/CONTRACT.md lists them).

resource "aws_ssm_parameter" "this" {
  # checkov:skip=CKV2_AWS_34:They are names and addresses, not secrets; secrets lie in Secrets Manager.
  # checkov:skip=CKV_AWS_337:The same.
  for_each = var.settings

  name        = "/${var.name}/settings/${each.key}"
  description = "Setting of the platform, written by Terraform"
  type        = "String"
  value       = each.value
}

resource "aws_secretsmanager_secret" "this" {
  # checkov:skip=CKV2_AWS_57:These keys sign what people keep for years; docs/operate.md says how one is changed, and by hand.
  for_each = var.secrets

  name                    = "${var.name}/${each.key}"
  description             = each.value
  kms_key_id              = var.secrets_key_arn
  recovery_window_in_days = 30
}

# Even an administrator's role of another account cannot be let in by mistake.
resource "aws_secretsmanager_secret_policy" "this" {
  for_each = aws_secretsmanager_secret.this

  secret_arn          = each.value.arn
  policy              = data.aws_iam_policy_document.secret[each.key].json
  block_public_policy = true
}

data "aws_caller_identity" "current" {}

data "aws_iam_policy_document" "secret" {
  for_each = aws_secretsmanager_secret.this

  statement {
    sid       = "ThisAccountOnly"
    effect    = "Deny"
    actions   = ["secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue"]
    resources = [each.value.arn]

    principals {
      type        = "AWS"
      identifiers = ["*"]
    }

    condition {
      test     = "StringNotEquals"
      variable = "aws:PrincipalAccount"
      values   = [data.aws_caller_identity.current.account_id]
    }
  }
}
