from __future__ import annotations

from django.db import models

from recsys.outbox.capture import capture


class ToyPost(models.Model):
    """What the outbox's bench writes: a captured table like those of posts, without what hangs on posts.

    Installed by `recsys.bench.settings` alone, and created by the bench.
    """

    author = models.BigIntegerField()
    text = models.TextField()

    class Meta:
        app_label = "bench_toy"
        db_table = "bench_toy_post"
        triggers = capture(topic="bench.post", payload=["author"])

    def __str__(self) -> str:
        return self.text
