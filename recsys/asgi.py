"""The whole site as one ASGI application: pages and REST through WSGI, the realtime prefix and sockets natively."""

from recsys.wsgi import application as pages  # isort: skip (sets Django up, which what follows needs)

from realtime.asgi import application as realtime
from recsys.services.routing import Site

application = Site(pages=pages, realtime=realtime)
