"""Whether deploy/terraform is what it says: read by itself in `make test`, run by Terraform in `make infra-check`."""
