"""The deployed template on ministack, on 127.0.0.1."""
