# One role for each process, and the trust by which its service account, and no other, becomes it.
#
# What the platform's processes may do is not written here: it is `deploy/iam/grants.json`, which the test suite checks in
# both directions (a call that is not granted fails its test; a grant that nothing uses fails the suite). Each pair of
# action and resources becomes a statement, and nothing is added.
#
# The controllers of the cluster have roles of their own: the autoscaler may change the groups of this cluster,
# the binder of targets joins pods to this target group, the reader of secrets reads this environment's,
# and who looks at signatures reads this environment's images.

data "aws_caller_identity" "current" {}

data "aws_region" "current" {}

locals {
  account = data.aws_caller_identity.current.account_id
  region  = data.aws_region.current.region

  granted = jsondecode(templatefile("${path.module}/../../../iam/grants.json", merge(var.names, {
    account = local.account
    region  = local.region
  })))

  # Process of deploy/iam → its service account. The state machine is no pod: its role is the module workflow_engine's.
  processes = {
    web      = "web"
    worker   = "worker"
    consumer = "consumer"
    migrate  = "migrate"
    # Commands of whoever operates this; the doctor looks at the storage too.
    check_storage = "operator"
    doctor        = "operator"
  }

  controllers = {
    cluster-autoscaler           = { namespace = "kube-system", account = "cluster-autoscaler" }
    aws-load-balancer-controller = { namespace = "kube-system", account = "aws-load-balancer-controller" }
    external-secrets             = { namespace = "external-secrets", account = "external-secrets" }
    keda                         = { namespace = "keda", account = "keda-operator" }
    kyverno                      = { namespace = "kyverno", account = "kyverno-admission-controller" }
  }

  accounts = merge(
    { for account in distinct(values(local.processes)) : account => "system:serviceaccount:${var.namespace}:${account}" },
    { for role, who in local.controllers : role => "system:serviceaccount:${who.namespace}:${who.account}" },
  )
}

resource "aws_iam_role" "this" {
  for_each = local.accounts

  name                 = "${var.names.prefix}-pod-${each.key}"
  assume_role_policy   = data.aws_iam_policy_document.trust[each.key].json
  max_session_duration = 3600
}

data "aws_iam_policy_document" "trust" {
  for_each = local.accounts

  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]

    principals {
      type        = "Federated"
      identifiers = [var.oidc_provider_arn]
    }

    condition {
      test     = "StringEquals"
      variable = "${var.oidc_issuer}:sub"
      values   = [each.value]
    }

    condition {
      test     = "StringEquals"
      variable = "${var.oidc_issuer}:aud"
      values   = ["sts.amazonaws.com"]
    }
  }
}

resource "aws_iam_role_policy" "process" {
  for_each = local.processes

  name   = replace(each.key, "_", "-")
  role   = aws_iam_role.this[each.value].id
  policy = data.aws_iam_policy_document.process[each.key].json
}

data "aws_iam_policy_document" "process" {
  # checkov:skip=CKV_AWS_111:Where grants.json says "*" the action knows no resources; a test holds it to that.
  # checkov:skip=CKV_AWS_356:The same.
  for_each = local.processes

  dynamic "statement" {
    for_each = local.granted[each.key]

    content {
      actions   = [statement.key]
      resources = statement.value
    }
  }
}
