"""A stand-in for the OpenAI API that the real `openai` client talks to: chat with images, files, batches, webhooks."""

from localcloud.openai.standin import OpenAIStandIn

__all__ = ["OpenAIStandIn"]
