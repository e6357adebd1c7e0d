"""The HTTP side and the data: tokens, store, senders, hits and the sender's pages."""
