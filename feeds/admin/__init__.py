"""The admin pages of feeds, one module for each subject."""

from feeds.admin import authors, policy, posts

__all__ = ["authors", "policy", "posts"]
