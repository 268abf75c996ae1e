"""A backend as it is before Gatehouse comes in front of it: Django, its users, DRF views and SimpleJWT's tokens.

    python django_site.py PORT FOLDER SIGNING_KEY_FILE

makes its database in FOLDER with the users of `PEOPLE`, writes them as FOLDER/users.jsonl for `gatehouse users import`, and
serves.
"""

import json
import sys
from pathlib import Path

import django
import uvicorn
from django.conf import settings
from django.urls import path

# E-mail, password, first name, and the hasher of the stored password.
PEOPLE = [
    ("pia@example.com", "pbkdf2 päßwörd", "Pia", "pbkdf2_sha256"),
    ("sam@example.com", "scrypt password", "Sam", "scrypt"),
    ("old@example.com", "old password", "Old", "pbkdf2_sha1"),
]


def configure(folder, key):
    settings.configure(
        ALLOWED_HOSTS=["localhost", "127.0.0.1"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": folder / "django.sqlite3"}},
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "rest_framework"],
        MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
        PASSWORD_HASHERS=[
            "django.contrib.auth.hashers.PBKDF2PasswordHasher",
            "django.contrib.auth.hashers.PBKDF2SHA1PasswordHasher",
            "django.contrib.auth.hashers.ScryptPasswordHasher",
        ],
        REST_FRAMEWORK={
            "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework_simplejwt.authentication.JWTAuthentication"],
            "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
            "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        },
        ROOT_URLCONF=__name__,
        SECRET_KEY="not used for tokens",
        SIMPLE_JWT={"SIGNING_KEY": key, "ALGORITHM": "HS256"},
        USE_TZ=True,
    )
    django.setup()


def make_people(folder):
    from django.contrib.auth.hashers import make_password
    from django.contrib.auth.models import User
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    rows = []
    for email, password, name, hasher in PEOPLE:
        secret = make_password(password, hasher=hasher)
        user = User.objects.create(username=email, email=email, first_name=name, last_name="Django", password=secret)
        # Its id is a number, which tokens carry as `user_id`
        rows.append({"id": user.id, "email": email, "firstName": name, "lastName": user.last_name, "password": secret})
    (folder / "users.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def views():
    from rest_framework.response import Response
    from rest_framework.views import APIView
    from rest_framework_simplejwt.views import TokenObtainPairView

    class Me(APIView):
        def get(self, request):
            return Response({"id": request.user.id, "email": request.user.email, "claims": request.auth.payload})

    class Logout(APIView):
        """Answers what it is told to, as the user it is told by."""

        def post(self, request):
            return Response({"user": request.user.id}, status=request.data.get("status", 205))

    return [
        path("api/me/", Me.as_view()),
        path("api/auth/legacy/logout/", Logout.as_view()),
        path("legacy/token/", TokenObtainPairView.as_view()),
    ]


if __name__ == "__main__":
    port, folder, key_file = int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
    configure(folder, key_file.read_text())
    make_people(folder)
    urlpatterns = views()
    from django.core.asgi import get_asgi_application

    uvicorn.run(get_asgi_application(), host="127.0.0.1", port=port, log_level="warning", lifespan="off")
