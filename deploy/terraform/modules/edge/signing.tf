# The switch `sign_zone`: answers about the zone are signed (DNSSEC), so that nobody can put others in their place.
#
# **Of one zone, once.** Where two environments share a zone, only one of them has the switch. **In two steps**: after
# the apply, `zone_ds_record` goes to whoever holds the parent zone, by hand. **Back in the other order**: the record
# goes first, then its time to live, then the switch; otherwise nobody who checks signatures finds the name.

resource "aws_kms_key" "zone" {
  # checkov:skip=CKV_AWS_7:KMS rotates no asymmetric keys; another signing key beside this one is how it is changed.
  # checkov:skip=CKV2_AWS_64:The policy is the resource aws_kms_key_policy below, which the check cannot join to it.
  for_each = var.sign_zone ? { on = true } : {}
  provider = aws.edge

  description              = "${var.name} zone"
  customer_master_key_spec = "ECC_NIST_P256"
  key_usage                = "SIGN_VERIFY"
  deletion_window_in_days  = 30
  tags                     = { Name = "${var.name}-zone" }
}

resource "aws_kms_key_policy" "zone" {
  for_each = aws_kms_key.zone
  provider = aws.edge

  key_id = each.value.key_id
  policy = data.aws_iam_policy_document.zone_key.json
}

data "aws_iam_policy_document" "zone_key" {
  # checkov:skip=CKV_AWS_109:A key policy that does not leave administration to the account locks it out for good.
  # checkov:skip=CKV_AWS_111:The same: writing is limited by the IAM policies to which this delegates.
  # checkov:skip=CKV_AWS_356:In a key policy "*" is this key and no other.
  statement {
    sid       = "AccountDelegatesToIam"
    actions   = ["kms:*"]
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = ["arn:aws:iam::${local.account}:root"]
    }
  }

  dynamic "statement" {
    for_each = {
      ZoneIsSigned = { actions = ["kms:DescribeKey", "kms:GetPublicKey", "kms:Sign"], test = "ArnEquals", variable = "aws:SourceArn", value = "arn:aws:route53:::hostedzone/${var.zone_id}" }
      ZoneKeepsKey = { actions = ["kms:CreateGrant"], test = "Bool", variable = "kms:GrantIsForAWSResource", value = "true" }
    }

    content {
      sid       = statement.key
      actions   = statement.value.actions
      resources = ["*"]

      principals {
        type        = "Service"
        identifiers = ["dnssec-route53.amazonaws.com"]
      }

      condition {
        test     = "StringEquals"
        variable = "aws:SourceAccount"
        values   = [local.account]
      }

      condition {
        test     = statement.value.test
        variable = statement.value.variable
        values   = [statement.value.value]
      }
    }
  }
}

resource "aws_route53_key_signing_key" "this" {
  for_each = aws_kms_key.zone

  name                       = replace(var.name, "-", "_")
  hosted_zone_id             = var.zone_id
  key_management_service_arn = each.value.arn
  status                     = "ACTIVE"

  # Route 53 tries the key as it takes it.
  depends_on = [aws_kms_key_policy.zone]
}

resource "aws_route53_hosted_zone_dnssec" "this" {
  for_each = aws_route53_key_signing_key.this

  hosted_zone_id = each.value.hosted_zone_id
  signing_status = "SIGNING"
}
