# Images of the platform and of steps: each tag is written once, each image is looked through when it comes and again
# whenever a new hole becomes known. What is deployed is named by its digest.

resource "aws_ecr_repository" "this" {
  for_each = var.repositories

  name                 = "${var.name}/${each.key}"
  image_tag_mutability = "IMMUTABLE"

  image_scanning_configuration {
    scan_on_push = true
  }

  encryption_configuration {
    encryption_type = "KMS"
    kms_key         = var.kms_key_arn
  }
}

resource "aws_ecr_registry_scanning_configuration" "this" {
  scan_type = "ENHANCED"

  rule {
    scan_frequency = "CONTINUOUS_SCAN"

    repository_filter {
      filter      = "${var.name}/*"
      filter_type = "WILDCARD"
    }
  }
}

resource "aws_ecr_lifecycle_policy" "this" {
  for_each = aws_ecr_repository.this

  repository = each.value.name

  policy = jsonencode({
    rules = [
      {
        rulePriority = 1
        description  = "What no tag names any more"
        selection    = { tagStatus = "untagged", countType = "sinceImagePushed", countUnit = "days", countNumber = 14 }
        action       = { type = "expire" }
      },
      {
        # A job is run again with the image that it had, so those of steps are kept by the thousand.
        rulePriority = 2
        description  = "All but the last ${var.repositories[each.key].keep}"
        selection    = { tagStatus = "any", countType = "imageCountMoreThan", countNumber = var.repositories[each.key].keep }
        action       = { type = "expire" }
      },
    ]
  })
}
