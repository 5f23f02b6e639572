mock_provider "aws" {
  source          = "../../mocks"
  override_during = plan
}

variables {
  name              = "esteira-test"
  subnet_ids        = ["subnet-a", "subnet-b", "subnet-c"]
  security_group_id = "sg-a"
  kms_key_arn       = "arn:aws:kms:us-east-1:123456789012:key/a"
}

run "pods_of_every_zone_reach_it" {
  command = plan

  assert {
    condition     = { for zone, target in aws_efs_mount_target.this : zone => target.subnet_id } == { a = "subnet-a", b = "subnet-b", c = "subnet-c" }
    error_message = "There must be a way in from each zone."
  }

  assert {
    condition     = alltrue([for target in aws_efs_mount_target.this : target.security_groups == toset(["sg-a"])])
    error_message = "Only the pods' machines may reach it."
  }
}

run "it_is_encrypted_and_one_user_s" {
  command = plan

  assert {
    condition     = aws_efs_file_system.this.encrypted && aws_efs_file_system.this.kms_key_id == var.kms_key_arn
    error_message = "It must be encrypted with our key."
  }

  assert {
    condition     = aws_efs_access_point.this.posix_user[0].uid == 10001 && aws_efs_access_point.this.root_directory[0].creation_info[0].permissions == "0750"
    error_message = "Whoever mounts it is the platform's user, and nobody else reads it."
  }

  assert {
    condition     = one([for said in data.aws_iam_policy_document.this.statement : said.condition if said.sid == "EncryptedOnly"]) != null
    error_message = "Nothing may travel unencrypted."
  }
}

run "it_is_backed_up" {
  command = plan

  assert {
    condition     = aws_efs_backup_policy.this.backup_policy[0].status == "ENABLED"
    error_message = "AWS Backup must keep it."
  }
}

run "two_zones_are_too_few" {
  command = plan

  variables {
    subnet_ids = ["subnet-a", "subnet-b"]
  }

  expect_failures = [var.subnet_ids]
}
