terraform {
  backend "s3" {
    bucket       = "esteira-staging-state-210987654321"
    key          = "platform.tfstate"
    region       = "us-east-1"
    encrypt      = true
    use_lockfile = true
  }
}
