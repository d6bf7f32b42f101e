"""The bundle: everything a user deploys, and its re-check."""
