"""The weights of the tiny model, part by part. `weights.tiny` writes them to files; nothing else imports this."""
