"""pipeline.yaml → PipelineSpec, and the decisions that follow from it: pure functions, no Django.

`parse` reads the text, `model` is what it says, `params` checks what a job gives, `graph` and `decide` say
what happens next, `bundle` packs the code, `reference` writes the documentation of the keys.
"""
