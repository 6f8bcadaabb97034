"""Settings that hold everywhere. What differs by place comes from the environment (environment.py, docs/running.md)."""

import os
from pathlib import Path
from typing import Any

from kombu.entity import Queue

from recsys.services.logging import configure_logging
from recsys.settings.environment import Environment

# Serving solves small systems: more threads would only spin beside one another. Before anything imports numpy.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

BASE_DIR = Path(__file__).resolve().parent.parent.parent
env = Environment()

INSTALLED_APPS = [
    "recsys.services.adminconfig.TributaryAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django.contrib.humanize",
    "channels",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_celery_beat",
    "pgtrigger",
    "django_htmx",
    "allauth",
    "allauth.account",
    "realtime",
    "recsys.services",
    "recsys.outbox",
    "recsys.accounts",
    "recsys.catalog",
    "recsys.events",
    "recsys.experiments",
    "recsys.recommend",
    "recsys.partners",
    "feeds",
]

MIDDLEWARE = [
    # Outside of all others, so that every answer has an id, is counted, and under /api/ is a problem where it is an
    # error.
    "recsys.services.logging.RequestLogMiddleware",
    "recsys.services.metrics.RequestMetricsMiddleware",
    "recsys.partners.middleware.ProblemMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
]

ROOT_URLCONF = "recsys.urls"
WSGI_APPLICATION = "recsys.wsgi.application"
ASGI_APPLICATION = "recsys.asgi.application"

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "csp.context_processors.nonce",
                "feeds.context_processors.unseen_notifications",
            ],
        },
    },
]

DATABASES: dict[str, dict[str, Any]] = {"default": env.database()}
REDIS_URL = env.redis_url()
CELERY_BROKER_URL = env.broker_url()
SECRET_KEY = env.secret_key()
ALLOWED_HOSTS = env.names("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.origins("CSRF_TRUSTED_ORIGINS")
WEB_THREADS = env.number("WEB_THREADS", 8, minimum=1)
DEBUG = False

CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "cache",
        # Django's default pickles: whoever can write to Valkey could then run code here.
        "OPTIONS": {"serializer": "realtime.valkey.JsonSerializer"},
    }
}
SESSION_ENGINE = "django.contrib.sessions.backends.db"

CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        # Blocking reads outlive redis-py's default socket timeout of five seconds.
        "CONFIG": {"hosts": [{"address": REDIS_URL, "socket_timeout": None}], "prefix": "channels"},
    }
}

# Other sites whose pages may follow streams, with an access token. Cookies count for nothing there.
REALTIME_ORIGINS = env.origins("REALTIME_ORIGINS")
REALTIME_CONNECTIONS_PER_ADDRESS = env.number("REALTIME_CONNECTIONS_PER_ADDRESS", 500, minimum=1)
REALTIME_NEW_CONNECTIONS_PER_SECOND = env.number("REALTIME_NEW_CONNECTIONS_PER_SECOND", 50, minimum=1)

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "home"
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = env.choice("ACCOUNT_EMAIL_VERIFICATION", "none", ("none", "optional", "mandatory"))
ACCOUNT_PRESERVE_USERNAME_CASING = False  # one name, one profile: Ana and ana are the same person
ACCOUNT_EMAIL_SUBJECT_PREFIX = "Tributary: "
ACCOUNT_FORMS = {"signup": "recsys.accounts.forms.SignupForm", "login": "recsys.accounts.forms.LoginForm"}
# Where to send e-mail, such as smtp+tls://user:password@host:587; without it, e-mail goes to the log.
vars().update(env.email())
DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL", default="tributary@localhost")

LOGGING = configure_logging(form=env.text("LOG_FORMAT", default="auto"), level=env.text("LOG_LEVEL", default="INFO"))
METRICS_TOKEN = env.text("METRICS_TOKEN", default="")

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "recsys" / "static"]
WHITENOISE_USE_FINDERS = True

DATA_UPLOAD_MAX_MEMORY_SIZE = 10 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 500

CELERY_TASK_ACKS_LATE = True
CELERY_TASK_IGNORE_RESULT = True
# Workers take from the queues in turn: a post waits neither for the chunks of large authors' fan-outs, nor for what is
# ranked anew for those who look on, nor for the rest.
CELERY_TASK_QUEUES = [Queue("celery"), Queue("celery.posts"), Queue("celery.fanout"), Queue("celery.live")]
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_WORKER_PREFETCH_MULTIPLIER = 1  # nothing passes what a worker has taken
CELERY_TIMEZONE = "UTC"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 300, "unacked_restore_interval": 10}
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_BEAT_SCHEDULE = {
    "maintain-partitions": {"task": "events.maintain_partitions", "schedule": 6 * 3600},
    "prune-event-receipts": {"task": "events.prune_receipts", "schedule": 3600},
    "prune-slates": {"task": "recommend.prune_slates", "schedule": 3600},
    "rebuild-timelines": {"task": "feeds.rebuild_after_loss", "schedule": 15},
    "prune-deliveries": {"task": "feeds.prune_deliveries", "schedule": 3600},
    "audit-timelines": {"task": "feeds.audit_timelines", "schedule": 300},
    "drop-old-notifications": {"task": "feeds.drop_old_notifications", "schedule": 24 * 3600},
    "tell-panels": {"task": "services.tell_panels", "schedule": 5},
    "train-models": {"task": "recommend.train_models", "schedule": 3600},
}

INTERACTION_RETENTION_MONTHS = env.number("INTERACTION_RETENTION_MONTHS", 24, minimum=1)
EVENT_RECEIPT_RETENTION_DAYS = env.number("EVENT_RECEIPT_RETENTION_DAYS", 30, minimum=2)
SLATE_RETENTION_DAYS = env.number("SLATE_RETENTION_DAYS", 30, minimum=1)

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["recsys.partners.authentication.ApiKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["recsys.partners.permissions.HasScope"],
    "DEFAULT_THROTTLE_CLASSES": ["recsys.partners.throttling.ClientThrottle"],
    # No proxy's X-Forwarded-For is believed, should a throttle by address ever be added.
    "NUM_PROXIES": 0,
    "DEFAULT_PARSER_CLASSES": ["recsys.partners.parsers.BoundedJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["recsys.partners.renderers.OrjsonRenderer"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "recsys.partners.problems.problem_handler",
    "UNAUTHENTICATED_USER": None,
    "URL_FORMAT_OVERRIDE": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Tributary API",
    "DESCRIPTION": "Send items, users and events; fetch recommendations and feeds.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
}

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:", "https:"],
        "connect-src": ["'self'"],
        "object-src": ["'none'"],
        "base-uri": ["'self'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    }
}
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"

# Dotted names, because this package never imports what stands above it.
IMPORT_FORMATS = {
    "movielens": "recsys.imports.movielens.MovieLensFormat",
    "items": "recsys.imports.items.ItemsFormat",
    "users": "recsys.imports.users.UsersFormat",
    "interactions": "recsys.imports.interactions.InteractionsFormat",
    "follows": "feeds.imports.FollowsFormat",
}
OPERATION_FIGURES = ["feeds.audit_runs.figures"]
DEMO_COMMUNITY = "feeds.demo.load_community"
BENCHES = {
    "outbox": "recsys.outbox.bench",
    "sockets": "feeds.bench.sockets",
    "reconnect": "feeds.bench.reconnect",
    "delivery": "feeds.bench.delivery",
    "fanout": "feeds.bench.fanout",
    "celebrity": "feeds.bench.celebrity",
    "timeline": "feeds.bench.timeline",
    "rebuild": "feeds.bench.rebuild",
    "quality": "recsys.recommend.bench.quality",
    "train": "recsys.recommend.bench.train",
}
