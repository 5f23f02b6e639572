# AWS's add-ons, each in the version that EKS recommends for this Kubernetes. Everything else comes by Argo CD.

locals {
  # Without network and identity no machine becomes ready, and no group is made.
  before_nodes = toset(["eks-pod-identity-agent", "kube-proxy", "vpc-cni"])
  after_nodes  = toset(["amazon-cloudwatch-observability", "aws-ebs-csi-driver", "aws-efs-csi-driver", "coredns", "metrics-server"])

  configuration = {
    vpc-cni = { enableNetworkPolicy = "true", env = { ENABLE_PREFIX_DELEGATION = "true" } }
    coredns = { autoScaling = { enabled = true, minReplicas = 2, maxReplicas = 10 } }
  }

  # The volume on EFS is made by hand, so its driver asks AWS for nothing.
  # The add-on's service account → the policy of AWS that it needs.
  identities = {
    vpc-cni                         = { account = "aws-node", policy = "AmazonEKS_CNI_Policy" }
    aws-ebs-csi-driver              = { account = "ebs-csi-controller-sa", policy = "service-role/AmazonEBSCSIDriverPolicy" }
    amazon-cloudwatch-observability = { account = "cloudwatch-agent", policy = "CloudWatchAgentServerPolicy" }
  }
}

data "aws_eks_addon_version" "this" {
  for_each = setunion(local.before_nodes, local.after_nodes)

  addon_name         = each.key
  kubernetes_version = var.kubernetes_version
}

resource "aws_eks_addon" "before_nodes" {
  for_each = local.before_nodes

  cluster_name                = aws_eks_cluster.this.name
  addon_name                  = each.key
  addon_version               = data.aws_eks_addon_version.this[each.key].version
  configuration_values        = contains(keys(local.configuration), each.key) ? jsonencode(local.configuration[each.key]) : null
  resolve_conflicts_on_create = "OVERWRITE"
  resolve_conflicts_on_update = "PRESERVE"

  dynamic "pod_identity_association" {
    for_each = { for addon, who in local.identities : addon => who if addon == each.key }

    content {
      service_account = pod_identity_association.value.account
      role_arn        = aws_iam_role.addon[each.key].arn
    }
  }
}

resource "aws_eks_addon" "after_nodes" {
  for_each = local.after_nodes

  cluster_name                = aws_eks_cluster.this.name
  addon_name                  = each.key
  addon_version               = data.aws_eks_addon_version.this[each.key].version
  configuration_values        = contains(keys(local.configuration), each.key) ? jsonencode(local.configuration[each.key]) : null
  resolve_conflicts_on_create = "OVERWRITE"
  resolve_conflicts_on_update = "PRESERVE"

  dynamic "pod_identity_association" {
    for_each = { for addon, who in local.identities : addon => who if addon == each.key }

    content {
      service_account = pod_identity_association.value.account
      role_arn        = aws_iam_role.addon[each.key].arn
    }
  }

  depends_on = [aws_eks_node_group.this]
}

resource "aws_iam_role" "addon" {
  for_each = local.identities

  name               = "${var.name}-addon-${each.key}"
  assume_role_policy = data.aws_iam_policy_document.addon_trust.json
}

data "aws_iam_policy_document" "addon_trust" {
  statement {
    actions = ["sts:AssumeRole", "sts:TagSession"]

    principals {
      type        = "Service"
      identifiers = ["pods.eks.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [local.arn]
    }
  }
}

resource "aws_iam_role_policy_attachment" "addon" {
  for_each = local.identities

  role       = aws_iam_role.addon[each.key].name
  policy_arn = "arn:aws:iam::aws:policy/${each.value.policy}"
}
