"""The admin pages of feeds, one module for each subject."""

from feeds.admin import authors, graph, notifications, policy, posts

__all__ = ["authors", "graph", "notifications", "policy", "posts"]
