from tests.s3_double.fixtures import boto, s3

__all__ = ["boto", "s3"]
