from __future__ import annotations

import logging

from celery import shared_task

from recsys.recommend.promotion import TrainingBusyError
from recsys.recommend.slates import do_prune_slates
from recsys.recommend.training import train_cf, train_content

logger = logging.getLogger(__name__)


@shared_task(name="recommend.train_models")
def train_models() -> None:
    """Train what has something new to learn from. Running twice does no harm: the second finds the lock, or nothing."""
    for train in (train_content, train_cf):
        try:
            result = train()
            logger.info("Training %s: %s", result.kind, result.reason)
        except TrainingBusyError as error:
            logger.info("%s", error)


@shared_task(name="recommend.prune_slates")
def prune_slates() -> None:
    """Delete old slates."""
    do_prune_slates()
