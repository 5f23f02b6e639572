"""Tables to Parquet, and what is in their columns."""
