"""The ASGI edge and the server's own memory. Reads no settings: `config.compose` hands it finished values (`serving.py`)."""
