"""What each process asks of AWS while the tests run, against the list that Terraform's policies grant."""
