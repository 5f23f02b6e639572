"""What the built-in pipelines share. Packed into each of them by `include: [../_kit]`.

Nothing is imported here: a step that runs 2,000 times pays only for the modules it names.
"""
