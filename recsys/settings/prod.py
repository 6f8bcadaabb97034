"""Behind TLS, with every service named in the environment."""

from recsys.settings.environment import Environment

Environment().require(
    SECRET_KEY="a long random text, the same for every process",  # noqa: S106
    ALLOWED_HOSTS="the names of the site, such as example.org,www.example.org",
    DATABASE_URL="postgres://user:password@host:5432/name",
    REDIS_URL="redis://host:6379/0",
)

from recsys.settings.base import *  # noqa: E402, F403
from recsys.settings.base import BASE_DIR, env  # noqa: E402

SECURE_SSL_REDIRECT = env.flag("SECURE_SSL_REDIRECT", default=True)
SECURE_REDIRECT_EXEMPT = [r"^(healthz|readyz|metrics)$"]  # asked from within, without TLS
SECURE_HSTS_SECONDS = env.number("SECURE_HSTS_SECONDS", 31_536_000)
SECURE_HSTS_INCLUDE_SUBDOMAINS = env.flag("SECURE_HSTS_INCLUDE_SUBDOMAINS", default=True)
SECURE_HSTS_PRELOAD = env.flag("SECURE_HSTS_PRELOAD", default=True)
# The proxy in front must set this header itself, or remove it from what clients send (deploy/nginx.conf does).
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
# Cookies for TLS only, unless the site is tried out without TLS.
SESSION_COOKIE_SECURE = SECURE_SSL_REDIRECT
CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT

# `collectstatic` gives every file a name made of its content, which browsers may keep for ever.
STATIC_ROOT = env.text("STATIC_ROOT", default=str(BASE_DIR / "staticfiles"))
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "recsys.services.storage.StaticFiles"},
}
WHITENOISE_USE_FINDERS = False
