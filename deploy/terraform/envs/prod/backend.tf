terraform {
  backend "s3" {
    bucket       = "esteira-prod-state-123456789012"
    key          = "platform.tfstate"
    region       = "us-east-1"
    encrypt      = true
    use_lockfile = true
  }
}
