"""The pipeline: stages as values, a content-hash cache, resume and lock."""
