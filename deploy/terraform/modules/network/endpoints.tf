# Roads to AWS's services that do not leave the network.

locals {
  endpoints = var.private_endpoints ? toset([
    "batch", "ecr.api", "ecr.dkr", "ecs", "ecs-agent", "ecs-telemetry", "kms", "logs", "secretsmanager", "sqs", "ssm", "states", "sts",
  ]) : toset([])
}

resource "aws_vpc_endpoint" "s3" {
  vpc_id            = aws_vpc.this.id
  service_name      = "com.amazonaws.${local.region}.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = [for table in aws_route_table.private : table.id]
  policy            = data.aws_iam_policy_document.s3_endpoint.json
  tags              = { Name = "${var.name}-s3" }
}

data "aws_iam_policy_document" "s3_endpoint" {
  # checkov:skip=CKV_AWS_108:An endpoint's policy grants nothing; it narrows what roles may do from here.
  # checkov:skip=CKV_AWS_111:The same.
  # checkov:skip=CKV_AWS_356:The same.
  statement {
    sid       = "PeopleOfThisAccount"
    actions   = ["s3:*"]
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = ["*"]
    }

    # Else a step could carry files to a stranger's bucket with the stranger's own keys.
    condition {
      test     = "StringEquals"
      variable = "aws:PrincipalAccount"
      values   = [local.account]
    }
  }

  statement {
    sid     = "LayersOfImagesAndPackagesOfTheSystem"
    actions = ["s3:GetObject"]
    resources = [
      "arn:aws:s3:::prod-${local.region}-starport-layer-bucket/*",
      "arn:aws:s3:::al2023-repos-${local.region}-de612dc2/*",
    ]

    principals {
      type        = "*"
      identifiers = ["*"]
    }
  }
}

resource "aws_vpc_endpoint" "interface" {
  for_each = local.endpoints

  vpc_id              = aws_vpc.this.id
  service_name        = "com.amazonaws.${local.region}.${each.key}"
  vpc_endpoint_type   = "Interface"
  subnet_ids          = [for key, subnet in aws_subnet.this : subnet.id if startswith(key, "private-")]
  security_group_ids  = [aws_security_group.this["endpoints"].id]
  private_dns_enabled = true
  policy              = data.aws_iam_policy_document.interface_endpoint.json
  tags                = { Name = "${var.name}-${each.key}" }
}

data "aws_iam_policy_document" "interface_endpoint" {
  # checkov:skip=CKV_AWS_107:An endpoint's policy grants nothing; it narrows what roles may do from here.
  # checkov:skip=CKV_AWS_108:The same.
  # checkov:skip=CKV_AWS_109:The same.
  # checkov:skip=CKV_AWS_110:The same.
  # checkov:skip=CKV_AWS_111:The same.
  # checkov:skip=CKV_AWS_356:The same.
  # checkov:skip=CKV_AWS_1:The same.
  # checkov:skip=CKV_AWS_49:The same.
  # checkov:skip=CKV2_AWS_40:The same.
  statement {
    sid       = "PeopleOfThisAccount"
    actions   = ["*"]
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = ["*"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:PrincipalAccount"
      values   = [local.account]
    }
  }
}
