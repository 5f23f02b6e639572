# EKS: a control plane that only named people reach, and two groups of machines that grow and shrink by themselves.
# What runs in it is Argo CD's business (deploy/k8s), not Terraform's, so a broken cluster never keeps Terraform from
# planning, and a broken plan never touches what runs.
#
# Pods get their rights by IRSA, from the module workload_roles; AWS's own add-ons by Pod Identity. Machines have no more
# than they need to join, and pods do not reach their metadata (one hop, with a token).

data "aws_caller_identity" "current" {}

data "aws_region" "current" {}

locals {
  account = data.aws_caller_identity.current.account_id
  region  = data.aws_region.current.region
  arn     = "arn:aws:eks:${local.region}:${local.account}:cluster/${var.name}"
}

# trivy:ignore:AVD-AWS-0040 Public only where `public_access_cidrs` names who; empty by default.
# trivy:ignore:AVD-AWS-0041 The same.
resource "aws_eks_cluster" "this" {
  # checkov:skip=CKV_AWS_39:Public only where public_access_cidrs names who; empty by default.
  # checkov:skip=CKV_AWS_38:The variable refuses 0.0.0.0/0.
  name                          = var.name
  version                       = var.kubernetes_version
  role_arn                      = aws_iam_role.control_plane.arn
  bootstrap_self_managed_addons = false
  deletion_protection           = true
  enabled_cluster_log_types     = ["api", "audit", "authenticator", "controllerManager", "scheduler"]

  access_config {
    authentication_mode = "API"
    # Else whoever made the cluster is its administrator for ever, and no list says so.
    bootstrap_cluster_creator_admin_permissions = false
  }

  encryption_config {
    resources = ["secrets"]

    provider {
      key_arn = var.kms_key_arn
    }
  }

  vpc_config {
    subnet_ids              = var.subnet_ids
    endpoint_private_access = true
    endpoint_public_access  = length(var.public_access_cidrs) > 0
    public_access_cidrs     = length(var.public_access_cidrs) > 0 ? var.public_access_cidrs : null
  }

  upgrade_policy {
    # Extended support costs six times as much, and begins by itself unless it is refused.
    support_type = "STANDARD"
  }

  zonal_shift_config {
    enabled = true
  }

  # EKS would make the group itself, unencrypted and without an end.
  depends_on = [aws_cloudwatch_log_group.this, aws_iam_role_policy_attachment.control_plane]
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/aws/eks/${var.name}/cluster"
  retention_in_days = 365
  kms_key_id        = var.logs_key_arn
}

resource "aws_eks_access_entry" "this" {
  for_each = var.access

  cluster_name  = aws_eks_cluster.this.name
  principal_arn = each.value.principal_arn
}

resource "aws_eks_access_policy_association" "this" {
  for_each = var.access

  cluster_name  = aws_eks_cluster.this.name
  principal_arn = aws_eks_access_entry.this[each.key].principal_arn
  policy_arn    = "arn:aws:eks::aws:cluster-access-policy/${each.value.policy}"

  access_scope {
    type = "cluster"
  }
}

# The trust by which service accounts become roles.
resource "aws_iam_openid_connect_provider" "this" {
  url            = aws_eks_cluster.this.identity[0].oidc[0].issuer
  client_id_list = ["sts.amazonaws.com"]
}

resource "aws_iam_role" "control_plane" {
  name               = "${var.name}-control-plane"
  assume_role_policy = data.aws_iam_policy_document.control_plane_trust.json
}

data "aws_iam_policy_document" "control_plane_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["eks.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }
}

resource "aws_iam_role_policy_attachment" "control_plane" {
  role       = aws_iam_role.control_plane.name
  policy_arn = "arn:aws:iam::aws:policy/AmazonEKSClusterPolicy"
}
