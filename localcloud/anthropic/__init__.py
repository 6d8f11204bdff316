"""A stand-in for the Anthropic API that the real `anthropic` client talks to: messages with images, message batches."""

from localcloud.anthropic.standin import AnthropicStandIn

__all__ = ["AnthropicStandIn"]
