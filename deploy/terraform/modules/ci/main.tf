# How GitHub Actions gets into the account: by OIDC, without a key that could leak. Four roles, each for exactly one
# kind of run: `plan` reads for pull requests, `apply` changes for the environment behind its gate, `push` puts images
# into the registry from the main branch, `deploy` reads the token of the smoke test. Argo CD deploys: no run gets into the
# cluster. Releases have an environment of their own on GitHub, or whoever may release could apply.
#
# `apply` may do what Terraform does here, which is nearly everything; the boundary keeps it from its own rights and from
# the audit trail. It can still make other roles: what keeps a change honest is the environment's gate and two people who read it.

data "aws_caller_identity" "current" {}

data "aws_region" "current" {}

locals {
  account = data.aws_caller_identity.current.account_id
  region  = data.aws_region.current.region
  issuer  = "token.actions.githubusercontent.com"

  # Secrets Manager puts six characters behind the name.
  smoke_token = "arn:aws:secretsmanager:${local.region}:${local.account}:secret:${var.name}/smoke-token-??????"

  # Compared whole: a pattern such as repo:owner/* would let any branch of any repository in.
  subjects = {
    plan   = ["repo:${var.repository}:pull_request", "repo:${var.repository}:ref:refs/heads/main"]
    apply  = ["repo:${var.repository}:environment:${var.environment}"]
    push   = ["repo:${var.repository}:ref:refs/heads/main"]
    deploy = ["repo:${var.repository}:environment:${var.environment}-release"]
  }
}

resource "aws_iam_openid_connect_provider" "github" {
  url            = "https://${local.issuer}"
  client_id_list = ["sts.amazonaws.com"]
}

resource "aws_iam_role" "this" {
  for_each = local.subjects

  name                 = "${var.name}-ci-${each.key}"
  assume_role_policy   = data.aws_iam_policy_document.trust[each.key].json
  max_session_duration = 3600
  permissions_boundary = each.key == "apply" ? aws_iam_policy.boundary.arn : null
}

data "aws_iam_policy_document" "trust" {
  for_each = local.subjects

  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]

    principals {
      type        = "Federated"
      identifiers = [aws_iam_openid_connect_provider.github.arn]
    }

    condition {
      test     = "StringEquals"
      variable = "${local.issuer}:aud"
      values   = ["sts.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "${local.issuer}:sub"
      values   = each.value
    }
  }
}

resource "aws_iam_role_policy_attachment" "plan_reads" {
  role       = aws_iam_role.this["plan"].name
  policy_arn = "arn:aws:iam::aws:policy/ReadOnlyAccess"
}

resource "aws_iam_role_policy" "plan" {
  name   = "no-contents"
  role   = aws_iam_role.this["plan"].id
  policy = data.aws_iam_policy_document.plan.json
}

data "aws_iam_policy_document" "plan" {
  # ReadOnlyAccess reads files of people too, and anybody may open a pull request.
  statement {
    sid           = "NoFilesOfPeople"
    effect        = "Deny"
    actions       = ["s3:GetObject", "s3:GetObjectVersion"]
    not_resources = ["${var.state_bucket_arn}/*"]
  }

  statement {
    sid       = "NoMessagesNoSecrets"
    effect    = "Deny"
    actions   = ["logs:FilterLogEvents", "logs:GetLogEvents", "secretsmanager:GetSecretValue", "sqs:ReceiveMessage", "states:GetExecutionHistory"]
    resources = ["*"]
  }

  statement {
    sid       = "ReadState"
    actions   = ["kms:Decrypt"]
    resources = [var.state_key_arn]
  }
}

resource "aws_iam_role_policy_attachment" "apply" {
  # checkov:skip=CKV_AWS_274:Terraform makes roles, keys and networks; the boundary says what it may not touch.
  role       = aws_iam_role.this["apply"].name
  policy_arn = "arn:aws:iam::aws:policy/AdministratorAccess"
}

resource "aws_iam_policy" "boundary" {
  name   = "${var.name}-ci-boundary"
  policy = data.aws_iam_policy_document.boundary.json
}

# trivy:ignore:AVD-AWS-0057 A boundary grants nothing; it is what is taken away from AdministratorAccess.
data "aws_iam_policy_document" "boundary" {
  # checkov:skip=CKV_AWS_49:A boundary grants nothing; it is what is taken away from AdministratorAccess.
  # checkov:skip=CKV_AWS_1:The same.
  # checkov:skip=CKV_AWS_107:The same.
  # checkov:skip=CKV_AWS_108:The same.
  # checkov:skip=CKV_AWS_109:The same.
  # checkov:skip=CKV_AWS_110:The same.
  # checkov:skip=CKV_AWS_111:The same.
  # checkov:skip=CKV_AWS_356:The same.
  # checkov:skip=CKV2_AWS_40:The same.
  statement {
    sid       = "WhatIsNotDeniedBelow"
    actions   = ["*"]
    resources = ["*"]
  }

  statement {
    sid       = "NotItself"
    effect    = "Deny"
    actions   = ["iam:AttachRolePolicy", "iam:CreatePolicyVersion", "iam:DeleteRolePermissionsBoundary", "iam:DeleteRolePolicy", "iam:DetachRolePolicy", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy", "iam:SetDefaultPolicyVersion", "iam:UpdateAssumeRolePolicy"]
    resources = ["arn:aws:iam::${local.account}:role/${var.name}-ci-*", "arn:aws:iam::${local.account}:policy/${var.name}-ci-boundary"]
  }

  statement {
    sid       = "NoPeople"
    effect    = "Deny"
    actions   = ["iam:CreateAccessKey", "iam:CreateLoginProfile", "iam:CreateUser"]
    resources = ["*"]
  }

  statement {
    sid       = "NotTheTrail"
    effect    = "Deny"
    actions   = ["cloudtrail:DeleteTrail", "cloudtrail:StopLogging", "config:DeleteConfigurationRecorder", "config:StopConfigurationRecorder", "guardduty:DeleteDetector"]
    resources = ["*"]
  }
}

resource "aws_iam_role_policy" "push" {
  name   = "push"
  role   = aws_iam_role.this["push"].id
  policy = data.aws_iam_policy_document.push.json
}

data "aws_iam_policy_document" "push" {
  statement {
    sid       = "SignIn"
    actions   = ["ecr:GetAuthorizationToken"]
    resources = ["*"]
  }

  statement {
    sid = "PushAndLook"
    actions = [
      "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:CompleteLayerUpload", "ecr:DescribeImageScanFindings", "ecr:DescribeImages",
      "ecr:GetDownloadUrlForLayer", "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart",
    ]
    resources = ["arn:aws:ecr:${local.region}:${local.account}:repository/${var.name}/*"]
  }
}

resource "aws_iam_role_policy" "deploy" {
  name   = "smoke-token"
  role   = aws_iam_role.this["deploy"].id
  policy = data.aws_iam_policy_document.deploy.json
}

data "aws_iam_policy_document" "deploy" {
  statement {
    sid       = "SmokeToken"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [local.smoke_token]
  }

  # The key is made later, with the environment: it is known by what it may open.
  statement {
    sid       = "OpenIt"
    actions   = ["kms:Decrypt"]
    resources = ["arn:aws:kms:${local.region}:${local.account}:key/*"]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["secretsmanager.${local.region}.amazonaws.com"]
    }

    condition {
      test     = "StringLike"
      variable = "kms:EncryptionContext:SecretARN"
      values   = [local.smoke_token]
    }
  }
}
