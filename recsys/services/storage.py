"""Static files under names made of their content, also where the scripts of pages import one another."""

from __future__ import annotations

from typing import Any

from django.contrib.staticfiles.storage import HashedFilesMixin
from whitenoise.storage import CompressedManifestStaticFilesStorage

# Our own modules alone: in other people's bundles, what looks like an import may be none.
MODULES = ("web/*.js", "realtime/*.js")


_IMPORTS: Any = HashedFilesMixin._js_module_import_aggregation_patterns[1]  # type: ignore[attr-defined]


class StaticFiles(CompressedManifestStaticFilesStorage):
    """WhiteNoise's storage that rewrites imports by relative address, which Django does for all scripts or none."""

    max_post_process_passes = 10  # as many as modules that import one another in a row

    patterns: Any = (
        *HashedFilesMixin.patterns,
        *((files, _IMPORTS) for files in MODULES),
    )
