"""The core: decides, never waits. No socket, clock, logger, environment or `async` below this folder (a test says so)."""
