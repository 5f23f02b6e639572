"""A deterministic simulation of jobs on AWS: one seed, one world, one history, and always the same one.

Two thousand worlds are run in `make test`, two million in `make simulate`. One has jobs, dispatchers, consumers, a
reconciler and containers on a virtual clock, with an AWS that follows its documents and a chaos of ten minutes: events
lost, doubled, late and out of order, throttles, errors, replies lost, processes killed between any two durable acts.

What is the product's own here, and what is not:

- The product's: states, moves and what follows from an end (`states`, `spec.decide`), the compiler of an execution's
  input, the whole adapter behind the compiler (start by name, adopt, stop until nothing is left, report; its table of
  errors), what a Batch job or an event means (`pieces`, `events`), who holds a lease, every limit and period.
- A reference model: the code that keeps rows (`platform`, `recording`, `claims`, `sweeping`). The product's lies over
  PostgreSQL and makes tens of acts a second, where a campaign needs tens of thousands.

The model cannot drift: `lockstep` plays histories of these same worlds on the real services and a real PostgreSQL, act
by act and kill by kill, and compares every row, answer and question to the engine after each act. Not compared, and not
in the model: sentences and reasons for people, pace and leadership of dispatchers, workspaces' fairness and limits,
outputs, spot machines, redrives. They have tests of their own.
"""
