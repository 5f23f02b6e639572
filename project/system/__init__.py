"""The admin's page about the machinery: what the doctor finds, which processes there are, and how all is set up."""
