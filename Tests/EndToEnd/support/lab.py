"""Certificates and keys of one test run."""

import datetime
import ipaddress
import json
import secrets
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from .tokens import base64url

PEM = serialization.Encoding.PEM


def write_private(path, data):
    path.touch(mode=0o600)
    path.write_bytes(data)
    path.chmod(0o600)
    return path


def private_pem(key):
    return key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def public_pem(key):
    return key.public_key().public_bytes(PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


class Authority:
    """A certificate authority of its own."""

    def __init__(self, name):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.certificate = self.signed(self.name, self.key, [(x509.BasicConstraints(ca=True, path_length=0), True)])
        self.pem = self.certificate.public_bytes(PEM)

    def signed(self, subject, key, extensions):
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=30))
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        return builder.sign(self.key, hashes.SHA256())

    def issue(self, folder, file, *names, client=False, key=None):
        """FILE.pem and FILE.key in `folder`, a leaf for these host names and addresses."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        alternatives = []
        for name in names:
            try:
                alternatives.append(x509.IPAddress(ipaddress.ip_address(name)))
            except ValueError:
                alternatives.append(x509.DNSName(name))
        usage = ExtendedKeyUsageOID.CLIENT_AUTH if client else ExtendedKeyUsageOID.SERVER_AUTH
        extensions = [
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (x509.SubjectAlternativeName(alternatives), False),
            (x509.ExtendedKeyUsage([usage]), False),
        ]
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        (folder / f"{file}.pem").write_bytes(self.signed(subject, key, extensions).public_bytes(PEM))
        write_private(folder / f"{file}.key", private_pem(key))


class Lab:
    """A folder with everything that gateways and clients of a test run read, made once."""

    def __init__(self, folder):
        self.folder = folder
        self.authority, self.clients, self.private = Authority("test CA"), Authority("client CA"), Authority("upstream CA")
        for name, authority in {"ca": self.authority, "clients": self.clients, "private": self.private}.items():
            (folder / f"{name}.pem").write_bytes(authority.pem)
        self.authority.issue(folder, "localhost", "localhost", "127.0.0.1", "::1")
        self.authority.issue(folder, "other", "other.example")
        self.authority.issue(folder, "wildcard", "*.wild.example", "wild.example")
        self.clients.issue(folder, "client", "client.example", client=True)
        self.private.issue(folder, "upstream", "upstream.internal")
        self.secret = secrets.token_hex(32).encode()
        self.other_secret = secrets.token_hex(32).encode()
        write_private(folder / "hs256.key", self.secret)
        write_private(folder / "stranger.key", self.other_secret)
        self.rsa = [rsa.generate_private_key(65537, 2048) for _ in range(3)]
        self.ec, self.stranger_ec = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        self.ed = ed25519.Ed25519PrivateKey.generate()
        self.strangers_rsa = self.rsa[2]
        self.authority.issue(folder, "rsa", "localhost", "127.0.0.1", key=self.rsa[2])
        (folder / "rsa.pub").write_bytes(public_pem(self.rsa[0]))
        (folder / "jwks.json").write_text(json.dumps({"keys": self.jwks()}))
        (folder / "encryption.json").write_text(json.dumps({"keys": self.unusable() + self.jwks()[:1]}))

    def path(self, name):
        return self.folder / name

    def jwks(self):
        """Two RSA keys, an EC and an Ed25519 key, all named."""
        number = lambda value, size: base64url(value.to_bytes(size, "big"))
        keys = []
        for index, key in enumerate(self.rsa[:2]):
            public = key.public_key().public_numbers()
            keys.append({"kty": "RSA", "kid": f"rsa-{index}", "use": "sig", "n": number(public.n, 256), "e": "AQAB"})
        point = self.ec.public_key().public_numbers()
        keys.append({"kty": "EC", "kid": "ec", "crv": "P-256", "x": number(point.x, 32), "y": number(point.y, 32)})
        raw = self.ed.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        keys.append({"kty": "OKP", "kid": "ed", "crv": "Ed25519", "x": base64url(raw)})
        return keys

    def unusable(self):
        """Keys that a set may hold and that are passed over: of an unknown kind, for encryption, too weak."""
        weak = rsa.generate_private_key(65537, 1024).public_key().public_numbers()
        return [
            {"kty": "XYZ", "kid": "unknown"},
            {**self.jwks()[1], "kid": "encryption", "use": "enc"},
            {"kty": "RSA", "kid": "weak", "n": base64url(weak.n.to_bytes(128, "big")), "e": "AQAB"},
        ]

    def client_context(self, **settings):
        """A TLS client that trusts the lab's authority; settings are attributes of SSLContext."""
        context = ssl.create_default_context(cafile=str(self.path("ca.pem")))
        for name, value in settings.items():
            setattr(context, name, value)
        return context
