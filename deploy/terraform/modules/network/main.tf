# A network over three zones with three kinds of subnets: `public` for NAT alone, `private` for machines and the load
# balancer, `database` without any route to the outside.
#
# With `private_endpoints` the services of AWS are reached without the internet, and Batch's machines reach nothing else
# at all: what a step may talk to is then the buckets, the registry and the platform. Images of steps must lie in ECR
# of the same region then. Each endpoint costs by the hour and zone, so staging does without.

data "aws_caller_identity" "current" {}

data "aws_region" "current" {}

data "aws_availability_zones" "this" {
  # checkov:skip=CKV_AWS_394:The first three are taken by their names, so that a new zone of AWS changes nothing.
  state = "available"
}

locals {
  account = data.aws_caller_identity.current.account_id
  region  = data.aws_region.current.region
  zones   = { for index, letter in ["a", "b", "c"] : letter => { name = data.aws_availability_zones.this.names[index], index = index } }

  subnets = merge([
    for letter, zone in local.zones : {
      "public-${letter}"   = { kind = "public", zone = zone.name, letter = letter, cidr = cidrsubnet(var.cidr, 8, zone.index) }
      "database-${letter}" = { kind = "database", zone = zone.name, letter = letter, cidr = cidrsubnet(var.cidr, 8, 8 + zone.index) }
      # A pod has an address of its own: 8,190 in each zone.
      "private-${letter}" = { kind = "private", zone = zone.name, letter = letter, cidr = cidrsubnet(var.cidr, 3, 1 + zone.index) }
    }
  ]...)

  nat_zones = var.nat_per_zone ? local.zones : { a = local.zones["a"] }
}

resource "aws_vpc" "this" {
  cidr_block           = var.cidr
  enable_dns_support   = true
  enable_dns_hostnames = true
  tags                 = { Name = var.name }
}

# Nobody uses it; empty, it lets nothing through where somebody forgets to name a group.
resource "aws_default_security_group" "this" {
  vpc_id  = aws_vpc.this.id
  ingress = []
  egress  = []
  tags    = { Name = "${var.name}-default-closed" }
}

resource "aws_subnet" "this" {
  for_each = local.subnets

  vpc_id            = aws_vpc.this.id
  cidr_block        = each.value.cidr
  availability_zone = each.value.zone

  map_public_ip_on_launch = false

  tags = merge(
    { Name = "${var.name}-${each.key}" },
    each.value.kind == "private" ? { "kubernetes.io/role/internal-elb" = "1" } : {},
  )
}

resource "aws_internet_gateway" "this" {
  vpc_id = aws_vpc.this.id
  tags   = { Name = var.name }
}

resource "aws_eip" "nat" {
  for_each = local.nat_zones

  domain = "vpc"
  tags   = { Name = "${var.name}-nat-${each.key}" }
}

resource "aws_nat_gateway" "this" {
  for_each = local.nat_zones

  allocation_id = aws_eip.nat[each.key].id
  subnet_id     = aws_subnet.this["public-${each.key}"].id
  tags          = { Name = "${var.name}-${each.key}" }
  depends_on    = [aws_internet_gateway.this]
}

resource "aws_route_table" "public" {
  vpc_id = aws_vpc.this.id
  tags   = { Name = "${var.name}-public" }
}

resource "aws_route" "public" {
  route_table_id         = aws_route_table.public.id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.this.id
}

resource "aws_route_table" "private" {
  for_each = local.zones

  vpc_id = aws_vpc.this.id
  tags   = { Name = "${var.name}-private-${each.key}" }
}

resource "aws_route" "private" {
  for_each = local.zones

  route_table_id         = aws_route_table.private[each.key].id
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = aws_nat_gateway.this[var.nat_per_zone ? each.key : "a"].id
}

# Without a route of its own: nothing in it reaches the outside, and nothing outside reaches it.
resource "aws_route_table" "database" {
  vpc_id = aws_vpc.this.id
  tags   = { Name = "${var.name}-database" }
}

resource "aws_route_table_association" "this" {
  for_each = local.subnets

  subnet_id = aws_subnet.this[each.key].id
  route_table_id = (
    each.value.kind == "public" ? aws_route_table.public.id :
    each.value.kind == "database" ? aws_route_table.database.id :
    aws_route_table.private[each.value.letter].id
  )
}

# A second fence around the database, should a security group ever be opened by mistake.
resource "aws_network_acl" "database" {
  vpc_id     = aws_vpc.this.id
  subnet_ids = [for key, subnet in aws_subnet.this : subnet.id if startswith(key, "database-")]
  tags       = { Name = "${var.name}-database" }

  ingress {
    rule_no    = 100
    action     = "allow"
    protocol   = "tcp"
    from_port  = 5432
    to_port    = 5432
    cidr_block = var.cidr
  }

  egress {
    rule_no    = 100
    action     = "allow"
    protocol   = "tcp"
    from_port  = 1024
    to_port    = 65535
    cidr_block = var.cidr
  }
}

# The fence of all other subnets: from outside come answers to what was asked from within, and nothing else.
# trivy:ignore:AVD-AWS-0105 Only NAT gateways have public addresses, and they take no connection from outside.
resource "aws_default_network_acl" "this" {
  # checkov:skip=CKV_AWS_231:Only NAT gateways have public addresses, and they take no connection from outside.
  default_network_acl_id = aws_vpc.this.default_network_acl_id
  tags                   = { Name = "${var.name}-default" }

  ingress {
    rule_no    = 100
    action     = "allow"
    protocol   = "-1"
    from_port  = 0
    to_port    = 0
    cidr_block = var.cidr
  }

  # All ports that a NAT gateway answers from; to leave one out would lose a connection now and then.
  dynamic "ingress" {
    for_each = { tcp = 110, udp = 120 }

    content {
      rule_no    = ingress.value
      action     = "allow"
      protocol   = ingress.key
      from_port  = 1024
      to_port    = 65535
      cidr_block = "0.0.0.0/0"
    }
  }

  egress {
    rule_no    = 100
    action     = "allow"
    protocol   = "-1"
    from_port  = 0
    to_port    = 0
    cidr_block = "0.0.0.0/0"
  }

  lifecycle {
    # Those that name no other have it by themselves.
    ignore_changes = [subnet_ids]
  }
}

resource "aws_flow_log" "this" {
  vpc_id                   = aws_vpc.this.id
  traffic_type             = "ALL"
  max_aggregation_interval = 60
  log_destination_type     = "s3"
  log_destination          = "${var.log_bucket_arn}/flow/"

  destination_options {
    file_format                = "parquet"
    hive_compatible_partitions = true
    per_hour_partition         = true
  }
}
