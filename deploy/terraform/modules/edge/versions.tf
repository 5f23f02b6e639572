terraform {
  required_version = ">= 1.11, < 2.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.60"
      # CloudFront's firewall and certificate live in us-east-1, wherever the rest is.
      configuration_aliases = [aws.edge]
    }
  }
}
