"""From a parsed body to an `Excerpt`: what the classifier looks at, cut to size. Sans-IO, and total: it takes whatever JSON can hold.

`reading` holds the types that all dialects share and cuts text, `scaffolding` tells what a person said from what a harness put around,
`assemble` builds the excerpt from messages that a dialect's reader understands, `chat`, `responses` and `plain` are such readers. A package
of its own because `config/discovery.py` takes every public module beside it for a dialect.
"""

from providers.dialects.excerpts.chat import chat_excerpt
from providers.dialects.excerpts.plain import completions_excerpt, embeddings_excerpt
from providers.dialects.excerpts.responses import responses_excerpt

__all__ = ["chat_excerpt", "completions_excerpt", "embeddings_excerpt", "responses_excerpt"]
