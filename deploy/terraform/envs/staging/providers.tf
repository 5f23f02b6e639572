terraform {
  required_version = ">= 1.11, < 2.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.60"
    }
  }
}

provider "aws" {
  region = "us-east-1"

  default_tags {
    tags = { project = "esteira", environment = "staging", managed-by = "terraform" }
  }
}

# CloudFront's firewall and certificate.
provider "aws" {
  alias  = "edge"
  region = "us-east-1"

  default_tags {
    tags = { project = "esteira", environment = "staging", managed-by = "terraform" }
  }
}

# Copies.
provider "aws" {
  alias  = "far"
  region = "us-west-2"

  default_tags {
    tags = { project = "esteira", environment = "staging", managed-by = "terraform" }
  }
}
