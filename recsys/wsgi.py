"""Pages, the admin and REST as a WSGI application, for `manage.py web` and for any WSGI server."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "recsys.settings.dev")

application = get_wsgi_application()
