"""Text, page images and statistics of PDF documents."""
