# The machine's role, and the role by which a container is started. A step itself has none.

resource "aws_iam_role" "machine" {
  name               = "${var.name}-batch-machine"
  assume_role_policy = data.aws_iam_policy_document.machine_trust.json
}

data "aws_iam_policy_document" "machine_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ec2.amazonaws.com"]
    }
  }
}

resource "aws_iam_role_policy_attachment" "machine" {
  role       = aws_iam_role.machine.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AmazonEC2ContainerServiceforEC2Role"
}

resource "aws_iam_instance_profile" "machine" {
  name = "${var.name}-batch-machine"
  role = aws_iam_role.machine.name
}

resource "aws_iam_role" "steps" {
  name               = "${var.name}-steps"
  assume_role_policy = data.aws_iam_policy_document.steps_trust.json
}

data "aws_iam_policy_document" "steps_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ecs-tasks.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }
}

resource "aws_iam_role_policy" "steps" {
  name   = "pull-and-log"
  role   = aws_iam_role.steps.id
  policy = data.aws_iam_policy_document.steps.json
}

data "aws_iam_policy_document" "steps" {
  statement {
    sid       = "SignIn"
    actions   = ["ecr:GetAuthorizationToken"]
    resources = ["*"]
  }

  statement {
    sid       = "Pull"
    actions   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    resources = ["arn:aws:ecr:${local.region}:${local.account}:repository/${var.name}/*"]
  }

  statement {
    sid       = "Log"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["arn:aws:logs:${local.region}:${local.account}:log-group:/${var.name}/runners:*"]
  }
}
