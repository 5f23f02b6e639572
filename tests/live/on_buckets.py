"""The buckets of the platform that live tests put on the strict object store."""

UPLOADS = "lab-uploads"
RESULTS = "lab-results"
