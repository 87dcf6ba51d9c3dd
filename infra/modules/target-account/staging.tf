# The bucket of the manifest: one user's attributes per line, so everything that
# S3 has against reading it by accident.

resource "aws_s3_bucket" "staging" {
  bucket        = local.configuration.staging.bucket
  force_destroy = var.staging_force_destroy
}

resource "aws_s3_bucket_public_access_block" "staging" {
  bucket                  = aws_s3_bucket.staging.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "staging" {
  bucket = aws_s3_bucket.staging.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "staging" {
  bucket = aws_s3_bucket.staging.id

  rule {
    bucket_key_enabled = true # one request to KMS for many objects

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = aws_kms_key.staging.arn
    }
  }
}

# Against deletion by mistake. The checkpoints are written over and over, so old
# versions go soon.
resource "aws_s3_bucket_versioning" "staging" {
  bucket = aws_s3_bucket.staging.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "staging" {
  bucket = aws_s3_bucket.staging.id

  rule {
    id     = "personal-data-expires"
    status = "Enabled"

    filter {
      prefix = "runs/"
    }
    expiration {
      days = var.staging_retention_days
    }
    noncurrent_version_expiration {
      noncurrent_days = 7
    }
    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }

  # An object that expires leaves a marker where it was; this takes the markers.
  rule {
    id     = "delete-markers-go"
    status = "Enabled"

    filter {
      prefix = "runs/"
    }
    expiration {
      expired_object_delete_marker = true
    }
  }

  # Rules about versions are refused where there are none.
  depends_on = [aws_s3_bucket_versioning.staging]
}

resource "aws_s3_bucket_policy" "staging" {
  bucket = aws_s3_bucket.staging.id
  policy = templatefile("${path.module}/policies/staging-bucket.json", {
    staging_bucket_arn = local.staging_bucket_arn
    staging_key_arn    = aws_kms_key.staging.arn
  })

  # S3 takes one change of a bucket at a time.
  depends_on = [aws_s3_bucket_public_access_block.staging]
}
