"""What a file is: digests, true type, text, archive contents."""
