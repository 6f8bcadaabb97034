"""The admin pages of feeds, one module for each subject."""

from feeds.admin import authors, notifications, policy, posts

__all__ = ["authors", "notifications", "policy", "posts"]
