"""The engine on AWS: one state machine for all pipelines, and what an execution of it is given.

`pipeline.asl.json` is the machine, deployed as it stands: it holds no placeholder, because queues, job definitions and
all else that differs between environments come with the input, whose contract is `input.schema.json`.
"""
