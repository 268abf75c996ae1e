"""An OpenID provider as people run it: Django with django-oauth-toolkit, its tokens signed with RS256, over TLS.

    python -m support.provider_app PORT FOLDER CERTIFICATE KEY

FOLDER/signing.pem holds the private keys of the key set, of which the first one signs; each request reads it anew. The database
stays in FOLDER, so a restart forgets nothing, and FOLDER/requests.log gets a line for each request, as it arrives.
"""

import ssl
import sys
import threading
from pathlib import Path
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import django
from django.conf import settings

from support.provider import CALLBACK, INSPECTOR, MACHINE, OTHER_WEB, PASSWORD, SHORT, USER, WEB

PORT, FOLDER, CERTIFICATE, KEY = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4]

settings.configure(
    SECRET_KEY="signs the cookies of a test",
    ALLOWED_HOSTS=["localhost", "127.0.0.1"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": FOLDER / "provider.sqlite3",
            "OPTIONS": {"timeout": 20, "transaction_mode": "IMMEDIATE"},
        }
    },
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "oauth2_provider"],
    MIDDLEWARE=[
        "django.middleware.common.CommonMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ],
    SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
    # The secrets of a test need no slow hash, and each introspection would pay for it
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    LOGIN_URL="/login/",
    OAUTH2_PROVIDER={
        "OIDC_ENABLED": True,
        "OIDC_ISS_ENDPOINT": f"https://localhost:{PORT}/o",
        "PKCE_REQUIRED": True,
        "SCOPES": {name: name for name in ("openid", "query", "manage", SHORT)},
        "EXTRA_SERVER_KWARGS": {"token_expires_in": lambda request: 3 if SHORT in request.scopes else 3600},
    },
    LOGGING_CONFIG=None,
)
django.setup()

from django.contrib.auth import authenticate, login  # noqa: E402
from django.contrib.auth.models import User  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.http import HttpResponse  # noqa: E402
from django.urls import include, path  # noqa: E402
from oauth2_provider.models import Application  # noqa: E402
from oauth2_provider.settings import oauth2_settings  # noqa: E402
from oauth2_provider.urls import metadata_urlpatterns  # noqa: E402


def log_in(request):
    """A provider's own login page, without the page."""
    login(request, authenticate(request, username=request.POST["username"], password=request.POST["password"]))
    return HttpResponse(status=204)


urlpatterns = [
    path("login/", log_in),
    path("o/", include("oauth2_provider.urls", namespace="oauth2_provider")),
    # RFC 8414 §3.1: the well-known part goes before the issuer's path
    path("", include((metadata_urlpatterns, "metadata"))),
]


def make_clients():
    """The user and the applications, unless an earlier start made them."""
    if User.objects.exists():
        return
    User.objects.create_user(USER, password=PASSWORD)
    for client, grant in {
        WEB: Application.GRANT_AUTHORIZATION_CODE,
        OTHER_WEB: Application.GRANT_AUTHORIZATION_CODE,
        MACHINE: Application.GRANT_CLIENT_CREDENTIALS,
        INSPECTOR: Application.GRANT_CLIENT_CREDENTIALS,
    }.items():
        Application.objects.create(
            client_id=client.name,
            client_secret=client.secret,
            client_type=Application.CLIENT_CONFIDENTIAL,
            authorization_grant_type=grant,
            redirect_uris=CALLBACK,
            skip_authorization=True,
            algorithm=Application.RS256_ALGORITHM,
        )


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads, request_queue_size = True, 128


class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass


site, lock = get_wsgi_application(), threading.Lock()


def use_keys():
    active, *former = (FOLDER / "signing.pem").read_text().split("\n\n")
    oauth2_settings.OIDC_RSA_PRIVATE_KEYS_INACTIVE = former
    oauth2_settings.OIDC_RSA_PRIVATE_KEY = active


def observed(environ, start_response):
    """Notes each request and takes up the keys of the moment, one after the other, so that none brings back older keys."""
    with lock:
        with open(FOLDER / "requests.log", "a") as log:
            print(environ["REQUEST_METHOD"], environ["PATH_INFO"], file=log)
        use_keys()
    return site(environ, start_response)


if __name__ == "__main__":
    use_keys()
    call_command("migrate", verbosity=0)
    make_clients()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(CERTIFICATE, KEY)
    server = make_server("127.0.0.1", PORT, observed, Server, Quiet)
    # A handshake belongs to its connection's thread: a slow one must not stop the others
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.base_environ["HTTPS"] = "on"
    server.serve_forever()
