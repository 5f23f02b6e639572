# Who may talk to whom: CloudFront → load balancer → pods → database. Each rule names the group on the other side, so
# that an address that changes hands opens nothing.
#
# **Two applies.** CloudFront makes the group `CloudFront-VPCOrigins-Service-SG` with the first VPC origin. Until then
# the load balancer lets CloudFront's prefix list in; afterwards set `cloudfront_security_group_id`, and it lets in that
# group alone.

data "aws_ec2_managed_prefix_list" "cloudfront" {
  name = "com.amazonaws.global.cloudfront.origin-facing"
}

locals {
  groups = {
    alb       = "Load balancer: CloudFront in, pods out"
    pods      = "Pods and their machines: load balancer in, database and the world out"
    batch     = "Machines of steps: nothing in"
    database  = "Database: pods in, nothing out"
    folder    = "Shared folder: pods in, nothing out"
    rotation  = "The function that rotates the password"
    endpoints = "Endpoints of AWS's services"
  }

  ingress = {
    "alb from batch"      = { on = "alb", from = "batch", port = 443 }
    "pods from alb"       = { on = "pods", from = "alb", port = 8000 }
    "database from pods"  = { on = "database", from = "pods", port = 5432 }
    "database from turns" = { on = "database", from = "rotation", port = 5432 }
    "folder from pods"    = { on = "folder", from = "pods", port = 2049 }
    "endpoints from pods" = { on = "endpoints", from = "pods", port = 443 }
    "endpoints from jobs" = { on = "endpoints", from = "batch", port = 443 }
    "endpoints from turn" = { on = "endpoints", from = "rotation", port = 443 }
  }

  egress = {
    "alb to pods"           = { on = "alb", to = "pods", port = 8000 }
    "pods to database"      = { on = "pods", to = "database", port = 5432 }
    "pods to folder"        = { on = "pods", to = "folder", port = 2049 }
    "batch to alb"          = { on = "batch", to = "alb", port = 443 }
    "batch to endpoints"    = { on = "batch", to = "endpoints", port = 443 }
    "rotation to database"  = { on = "rotation", to = "database", port = 5432 }
    "rotation to endpoints" = { on = "rotation", to = "endpoints", port = 443 }
  }

  # Pods call webhooks and sign-in servers of people; machines without endpoints reach AWS by the internet.
  world = merge(
    { "pods" = { on = "pods", port = 443 }, "webhooks" = { on = "pods", port = 8443 }, "mail" = { on = "pods", port = 587 } },
    var.private_endpoints ? {} : { "batch" = { on = "batch", port = 443 }, "rotation" = { on = "rotation", port = 443 } },
  )
}

resource "aws_security_group" "this" {
  # checkov:skip=CKV2_AWS_5:They are attached by the other modules, where the check does not look.
  for_each = local.groups

  name_prefix = "${var.name}-${each.key}-"
  description = each.value
  vpc_id      = aws_vpc.this.id
  tags        = { Name = "${var.name}-${each.key}" }

  lifecycle {
    # What uses a group holds it: the new one must be there first.
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "alb_from_cloudfront" {
  security_group_id            = aws_security_group.this["alb"].id
  description                  = "CloudFront, and nobody else from outside"
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
  prefix_list_id               = var.cloudfront_security_group_id == null ? data.aws_ec2_managed_prefix_list.cloudfront.id : null
  referenced_security_group_id = var.cloudfront_security_group_id
}

resource "aws_vpc_security_group_ingress_rule" "this" {
  for_each = local.ingress

  security_group_id            = aws_security_group.this[each.value.on].id
  referenced_security_group_id = aws_security_group.this[each.value.from].id
  description                  = each.key
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
}

resource "aws_vpc_security_group_egress_rule" "this" {
  for_each = local.egress

  security_group_id            = aws_security_group.this[each.value.on].id
  referenced_security_group_id = aws_security_group.this[each.value.to].id
  description                  = each.key
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
}

resource "aws_vpc_security_group_egress_rule" "s3" {
  for_each = toset(["batch", "pods", "rotation"])

  security_group_id = aws_security_group.this[each.key].id
  prefix_list_id    = aws_vpc_endpoint.s3.prefix_list_id
  description       = "The buckets, by the gateway"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

# trivy:ignore:AVD-AWS-0104 Webhooks go to addresses that people choose; the platform refuses private ones.
resource "aws_vpc_security_group_egress_rule" "world" {
  for_each = local.world

  security_group_id = aws_security_group.this[each.value.on].id
  cidr_ipv4         = "0.0.0.0/0"
  description       = "Outside, port ${each.value.port}"
  ip_protocol       = "tcp"
  from_port         = each.value.port
  to_port           = each.value.port
}
