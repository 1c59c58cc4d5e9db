"""Replay: facts in, actions out. Pure, but for asyncio, whose loop it implements."""
