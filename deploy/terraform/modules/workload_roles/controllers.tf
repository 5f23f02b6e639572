# What the cluster's own controllers may do, which no test of the platform can see.

resource "aws_iam_role_policy" "controller" {
  for_each = {
    cluster-autoscaler           = data.aws_iam_policy_document.autoscaler.json
    aws-load-balancer-controller = data.aws_iam_policy_document.targets.json
    external-secrets             = data.aws_iam_policy_document.secrets.json
    keda                         = data.aws_iam_policy_document.keda.json
    kyverno                      = data.aws_iam_policy_document.kyverno.json
  }

  name   = "grants"
  role   = aws_iam_role.this[each.key].id
  policy = each.value
}

data "aws_iam_policy_document" "autoscaler" {
  # checkov:skip=CKV_AWS_111:Looking at groups and machines knows no resources; changing them is bound to our cluster's.
  # checkov:skip=CKV_AWS_356:The same.
  statement {
    sid = "Look"
    actions = [
      "autoscaling:DescribeAutoScalingGroups", "autoscaling:DescribeAutoScalingInstances", "autoscaling:DescribeLaunchConfigurations",
      "autoscaling:DescribeScalingActivities", "autoscaling:DescribeTags", "ec2:DescribeImages", "ec2:DescribeInstanceTypes",
      "ec2:DescribeLaunchTemplateVersions", "ec2:GetInstanceTypesFromInstanceRequirements",
    ]
    resources = ["*"]
  }

  statement {
    sid       = "LookAtOurGroups"
    actions   = ["eks:DescribeNodegroup"]
    resources = ["arn:aws:eks:${local.region}:${local.account}:nodegroup/${var.cluster_name}/*/*"]
  }

  statement {
    sid       = "ChangeOurGroups"
    actions   = ["autoscaling:SetDesiredCapacity", "autoscaling:TerminateInstanceInAutoScalingGroup"]
    resources = ["arn:aws:autoscaling:${local.region}:${local.account}:autoScalingGroup:*:autoScalingGroupName/eks-${var.cluster_name}-*"]

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/k8s.io/cluster-autoscaler/${var.cluster_name}"
      values   = ["owned"]
    }
  }
}

data "aws_iam_policy_document" "targets" {
  # checkov:skip=CKV_AWS_356:Looking knows no resources; joining is bound to our target group.
  statement {
    sid = "Look"
    actions = [
      "ec2:DescribeInstances", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcs",
      "elasticloadbalancing:DescribeTags", "elasticloadbalancing:DescribeTargetGroups", "elasticloadbalancing:DescribeTargetHealth",
    ]
    resources = ["*"]
  }

  statement {
    sid       = "JoinPods"
    actions   = ["elasticloadbalancing:DeregisterTargets", "elasticloadbalancing:RegisterTargets"]
    resources = [var.target_group_arn]
  }
}

data "aws_iam_policy_document" "secrets" {
  statement {
    sid       = "ReadOurSecrets"
    actions   = ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"]
    resources = ["arn:aws:secretsmanager:${local.region}:${local.account}:secret:${var.names.prefix}/*"]
  }

  # RDS names it otherwise.
  statement {
    sid       = "ReadTheSecretOfMigrations"
    actions   = ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"]
    resources = [var.database_owner_secret_arn]
  }

  statement {
    sid       = "ReadOurSettings"
    actions   = ["ssm:GetParameter", "ssm:GetParameters", "ssm:GetParametersByPath"]
    resources = ["arn:aws:ssm:${local.region}:${local.account}:parameter/${var.names.prefix}/*"]
  }

  statement {
    sid       = "Key"
    actions   = ["kms:Decrypt"]
    resources = [var.secrets_key_arn]
  }
}

data "aws_iam_policy_document" "keda" {
  statement {
    sid       = "HowLongIsTheQueue"
    actions   = ["sqs:GetQueueAttributes"]
    resources = ["arn:aws:sqs:${local.region}:${local.account}:${var.names.events_queue}"]
  }
}

data "aws_iam_policy_document" "kyverno" {
  # checkov:skip=CKV_AWS_356:GetAuthorizationToken knows no resources.
  statement {
    sid       = "SignIn"
    actions   = ["ecr:GetAuthorizationToken"]
    resources = ["*"]
  }

  statement {
    sid       = "Signatures"
    actions   = ["ecr:BatchGetImage", "ecr:DescribeImages", "ecr:GetDownloadUrlForLayer"]
    resources = ["arn:aws:ecr:${local.region}:${local.account}:repository/${var.names.prefix}/*"]
  }
}
