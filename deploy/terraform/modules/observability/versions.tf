terraform {
  required_version = ">= 1.11, < 2.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.60"
      # CloudFront tells its numbers in us-east-1, wherever the rest is.
      configuration_aliases = [aws.edge]
    }
  }
}
