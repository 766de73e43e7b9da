"""The adapters behind the ports on AWS. Only this room uses boto3."""
