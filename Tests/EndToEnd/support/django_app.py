"""A Django backend with djangorestframework-simplejwt that shares its signing key with the gateway.

    django_app.py PORT KEY_FILE DATABASE

POST /api/token/ (its own login), GET /api/me/ (protected by SimpleJWT), POST /api/auth/legacy/logout/ (blacklists the refresh
token; 400 for one that it does not know), GET /api/agents/…/.
"""

import sys
from pathlib import Path
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import django
from django.conf import settings

PORT, KEY, DATABASE = int(sys.argv[1]), Path(sys.argv[2]).read_text(), sys.argv[3]
USER, PASSWORD = "dora", "backend password"

settings.configure(
    SECRET_KEY="unused-by-tokens-" * 4,
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": DATABASE}},
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "rest_framework",
        "rest_framework_simplejwt.token_blacklist",
    ],
    PASSWORD_HASHERS=[
        "django.contrib.auth.hashers.PBKDF2PasswordHasher",
        "django.contrib.auth.hashers.ScryptPasswordHasher",
    ],
    REST_FRAMEWORK={"DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework_simplejwt.authentication.JWTStatelessUserAuthentication"]},
    SIMPLE_JWT={"SIGNING_KEY": KEY, "ALGORITHM": "HS256"},
    LOGGING_CONFIG=None,
)
django.setup()

from django.contrib.auth.models import User  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.urls import path, re_path  # noqa: E402
from rest_framework.decorators import api_view, authentication_classes, permission_classes  # noqa: E402
from rest_framework.permissions import IsAuthenticated  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework_simplejwt.views import TokenBlacklistView, TokenObtainPairView  # noqa: E402


@api_view(["GET"])
@permission_classes([IsAuthenticated])
def me(request):
    """Whom SimpleJWT takes the caller for, beside whom the gateway vouches for."""
    return Response({"token": str(request.user.pk), "gateway": request.headers.get("X-User-Id")})


@api_view(["GET"])
@authentication_classes([])
def agent(request):
    return Response({"user": request.headers.get("X-User-Id")})


urlpatterns = [
    path("api/token/", TokenObtainPairView.as_view()),
    path("api/me/", me),
    path("api/auth/legacy/logout/", TokenBlacklistView.as_view()),
    re_path("^api/agents/", agent),
]


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass


if __name__ == "__main__":
    call_command("migrate", verbosity=0)
    User.objects.create_user(USER, password=PASSWORD)
    make_server("127.0.0.1", PORT, get_wsgi_application(), Server, Quiet).serve_forever()
