mock_provider "aws" {
  source          = "../../mocks"
  override_during = plan
}

variables {
  name                   = "esteira-test"
  subnet_ids             = ["subnet-a", "subnet-b", "subnet-c"]
  pods_security_group_id = "sg-a"
  kms_key_arn            = "arn:aws:kms:us-east-1:123456789012:key/a"
  logs_key_arn           = "arn:aws:kms:us-east-1:123456789012:key/b"

  access = {
    platform = { principal_arn = "arn:aws:iam::123456789012:role/platform", policy = "AmazonEKSClusterAdminPolicy" }
  }

  node_groups = {
    on-demand = { capacity_type = "ON_DEMAND", instance_types = ["m7i.large"], min = 2, max = 10 }
    spot      = { capacity_type = "SPOT", instance_types = ["m7i.large", "m6i.large"], min = 1, max = 20 }
  }
}

run "only_named_people_reach_the_control_plane" {
  command = plan

  assert {
    condition     = aws_eks_cluster.this.vpc_config[0].endpoint_private_access && !aws_eks_cluster.this.vpc_config[0].endpoint_public_access
    error_message = "The control plane must be reached from the network only, unless somebody is named."
  }

  assert {
    condition     = aws_eks_cluster.this.access_config[0].authentication_mode == "API" && !aws_eks_cluster.this.access_config[0].bootstrap_cluster_creator_admin_permissions
    error_message = "Who is an administrator must be on the list, and nobody else."
  }

  assert {
    condition     = aws_eks_access_policy_association.this["platform"].policy_arn == "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
    error_message = "Who is on the list must get what it says."
  }

  assert {
    condition     = aws_eks_cluster.this.encryption_config[0].provider[0].key_arn == var.kms_key_arn
    error_message = "Kubernetes' secrets must be encrypted with our key."
  }

  assert {
    condition     = length(aws_eks_cluster.this.enabled_cluster_log_types) == 5 && aws_cloudwatch_log_group.this.retention_in_days == 365
    error_message = "All five logs must be written and kept for a year."
  }

  assert {
    condition     = aws_eks_cluster.this.deletion_protection && aws_eks_cluster.this.upgrade_policy[0].support_type == "STANDARD"
    error_message = "It must not go by mistake, nor slip into extended support."
  }
}

run "machines_on_demand_and_spot_in_three_zones" {
  command = plan

  assert {
    condition     = { for key, group in aws_eks_node_group.this : key => group.capacity_type } == { on-demand = "ON_DEMAND", spot = "SPOT" }
    error_message = "There must be machines on demand and on spot."
  }

  assert {
    condition     = alltrue([for group in aws_eks_node_group.this : group.scaling_config[0].max_size > group.scaling_config[0].min_size && length(group.subnet_ids) == 3])
    error_message = "Each group must be able to grow, in three zones."
  }

  assert {
    condition     = aws_launch_template.node.metadata_options[0].http_tokens == "required" && aws_launch_template.node.metadata_options[0].http_put_response_hop_limit == 1
    error_message = "Pods must not reach the machine's credentials."
  }

  assert {
    condition     = alltrue([for disk in aws_launch_template.node.block_device_mappings : disk.ebs[0].encrypted == "true"])
    error_message = "Disks must be encrypted."
  }

  assert {
    condition     = strcontains(aws_eks_addon.before_nodes["vpc-cni"].configuration_values, "enableNetworkPolicy")
    error_message = "Network policies must be enforced, or those of deploy/k8s are words."
  }
}

run "service_accounts_become_roles" {
  command = plan

  assert {
    condition     = tolist(aws_iam_openid_connect_provider.this.client_id_list) == tolist(["sts.amazonaws.com"])
    error_message = "IRSA needs the cluster as an identity provider."
  }

  assert {
    condition     = toset([for when in data.aws_iam_policy_document.addon_trust.statement[0].condition : when.variable]) == toset(["aws:SourceAccount", "aws:SourceArn"])
    error_message = "Add-ons get their roles in this cluster only."
  }
}

run "everybody_is_refused" {
  command = plan

  variables {
    public_access_cidrs = ["0.0.0.0/0"]
  }

  expect_failures = [var.public_access_cidrs]
}

run "a_cluster_without_spot_is_refused" {
  command = plan

  variables {
    node_groups = {
      on-demand = { capacity_type = "ON_DEMAND", instance_types = ["m7i.large"], min = 2, max = 10 }
    }
  }

  expect_failures = [var.node_groups]
}
