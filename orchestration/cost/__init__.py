"""What work costs, as pure functions over a table of prices: no database, no clock, no network."""
