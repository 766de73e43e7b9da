"""The ports on AWS: boto3's only room."""
