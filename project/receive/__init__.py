"""How bytes come off the socket: bounded heads, and bodies that go to their file without passing the event loop."""
