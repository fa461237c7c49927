"""OpenAI's compaction of a Responses conversation: the same request, answered with fewer items.

https://platform.openai.com/docs/api-reference/responses/compact

What comes back is sealed by whoever made it, so it is never translated: a replica that has the endpoint says so in its `dialects`.
"""

from __future__ import annotations

from dataclasses import replace

from providers.dialects import responses

DIALECT = replace(
    responses.DIALECT,
    name="compact",
    paths=("/v1/responses/compact", "/responses/compact", "/backend-api/codex/responses/compact"),
    codec=None,
)
