import JOSE
import Testing

@testable import Identity

@Suite struct PasswordHashTests {
    private typealias Vector = (name: String, hash: String, password: String, matches: Bool, why: String)

    private static let rfc =
        "$scrypt$ln=10,r=8,p=16$TmFDbA$/bq+HJ00cgB4VucZDQHp/nxq18vII3gw53N2Y0s3MWIurzDZLiKjiG/xCSedmDDaxyevuUqD7m2DYMvfoswGQA"
    private static let composed =
        "$scrypt$ln=15,r=8,p=3$MDEyMzQ1Njc4OWFiY2RlZg$A1OZ58sojFBb+MbcRZaxeDoTMNKNlMrNyhI5lK4ykZs"
    private static let pbkdf2 =
        "pbkdf2_sha256$1000$saltsaltsalt1234$w7/Z+TtKe2706ziYqntGWEpywycBhHRgtLIN+hknDGQ="
    private static let decomposed =
        "pbkdf2_sha256$1000$saltsaltsalt1234$gpxROrUHwiwoQ2Ab4RPRxHkhGXN1NSijJ9H8dLOBBCA="
    private static let djangoScrypt =
        "scrypt$1024$saltsaltsalt1234$8$1$sBRFYJxJyR9gnQuMQio24Q6ZTaugiqeT1tSTvyCASoOkm3WQbUrB0rmM7PBpRjHoOG/NUPccGw/uK02AlsPZFA=="

    private static let vectors: [Vector] = [
        ("scrypt of the RFC", rfc, "password", true, "RFC 7914 §12"),
        ("scrypt, another password", rfc, "Password", false, "case counts"),
        ("scrypt, NFC", composed, "caf\u{E9}", true, "made by Python's hashlib from the composed form"),
        ("scrypt, NFD typed", composed, "cafe\u{301}", true, "contract.md: NFC before hashing"),
        ("Django's PBKDF2", pbkdf2, "correct horse", true, "made by Django 5.2"),
        ("Django's PBKDF2, wrong", pbkdf2, "correct horsf", false, "made by Django 5.2"),
        (
            "Django's PBKDF2 with SHA-1", "pbkdf2_sha1$1000$saltsaltsalt1234$yaZGvsal3rK6xS8PX57HJJLyG+U=",
            "correct horse", true, "made by Django 5.2"
        ),
        ("Django's scrypt", djangoScrypt, "correct horse", true, "made by Django 5.2"),
        ("Django's scrypt, wrong", djangoScrypt, "", false, "the empty password is none"),
        ("imported from NFD, typed so", decomposed, "cafe\u{301}", true, "contract.md: also as sent"),
        ("imported from NFD, typed in NFC", decomposed, "caf\u{E9}", false, "those are other bytes"),
    ]

    @Test("a hash matches its password and no other", arguments: vectors)
    private func matching(_ vector: Vector) throws {
        let hash = try #require(PasswordHash(vector.hash), "\(vector.name)")
        #expect(hash.matches(vector.password) == vector.matches, "\(vector.name): \(vector.why)")
        #expect(!hash.isCurrent || vector.hash == Self.composed)
    }

    @Test("a new hash is a PHC string of today's strength under a salt of its own")
    func fresh() throws {
        let one = PasswordHash.make("se\u{301}same")
        let other = PasswordHash.make("se\u{301}same")
        #expect(one.text.hasPrefix("$scrypt$ln=15,r=8,p=3$") && one.isCurrent && one.text != other.text)
        let read = try #require(PasswordHash(one.text))
        #expect(read == one && read.matches("s\u{E9}same") && !read.matches("sesame"))
    }

    @Test("the dummy matches nothing and costs what a new hash costs")
    func dummy() {
        #expect(!PasswordHash.dummy.matches("") && !PasswordHash.dummy.matches("password"))
        #expect(PasswordHash.dummy.isCurrent)
    }

    private static let salt = "MDEyMzQ1Njc4OWFiY2RlZg"
    private static let key = "A1OZ58sojFBb+MbcRZaxeDoTMNKNlMrNyhI5lK4ykZs"
    private static let unreadable: [(text: String, why: String)] = [
        ("", "nothing"), ("password", "plain text"), ("$", "nothing"), ("!", "Django's unusable password"),
        ("$2b$12$abcdefghijklmnopqrstuv", "bcrypt"), ("$argon2id$v=19$m=65536,t=3,p=4$\(salt)$\(key)", "argon2"),
        ("$scrypt$ln=15,r=8,p=3$\(salt)", "no hash"), ("$scrypt$ln=15,r=8,p=3$\(salt)$\(key)$x", "too many parts"),
        ("$scrypt$ln=15,r=8$\(salt)$\(key)", "no p"), ("$scrypt$r=8,ln=15,p=3$\(salt)$\(key)", "another order"),
        ("$scrypt$ln=0,r=8,p=3$\(salt)$\(key)", "N of one"), ("$scrypt$ln=015,r=8,p=3$\(salt)$\(key)", "leading zero"),
        ("$scrypt$ln=+15,r=8,p=3$\(salt)$\(key)", "a sign"), ("$scrypt$ln=25,r=1,p=1$\(salt)$\(key)", "too much time"),
        ("$scrypt$ln=20,r=8,p=3$\(salt)$\(key)", "1 GiB of memory"),
        ("$scrypt$ln=15,r=64,p=64$\(salt)$\(key)", "too much work"),
        ("$scrypt$ln=99999999999,r=8,p=3$\(salt)$\(key)", "a number without end"),
        ("$scrypt$ln=15,r=8,p=3$\(salt)=$\(key)", "padding in a PHC string"),
        ("$scrypt$ln=15,r=8,p=3$$\(key)", "no salt"),
        ("$scrypt$ln=15,r=8,p=3$\(salt)$", "an empty hash would match an empty key"),
        ("$scrypt$ln=15,r=8,p=3$\(salt)$AAAA", "three bytes of hash"),
        ("$scrypt$ln=15,r=8,p=3$\(salt)$A-_B\(key)", "base64url"),
        ("pbkdf2_sha256$0$salt$w7/Z+TtKe2706ziYqntGWEpywycBhHRgtLIN+hknDGQ=", "no iteration"),
        ("pbkdf2_sha256$99999999$salt$w7/Z+TtKe2706ziYqntGWEpywycBhHRgtLIN+hknDGQ=", "minutes"),
        ("pbkdf2_sha256$1000$$w7/Z+TtKe2706ziYqntGWEpywycBhHRgtLIN+hknDGQ=", "no salt"),
        ("pbkdf2_sha256$1000$salt$w7/Z+TtKe2706ziYqntGWEpywycBhHRgtLIN+hknDGQ", "no padding"),
        ("pbkdf2_sha512$1000$salt$w7/Z+TtKe2706ziYqntGWEpywycBhHRgtLIN+hknDGQ=", "unknown"),
        ("scrypt$1000$salt$8$1$sBRFYJxJyR9gnQuMQio24Q6ZTaugiqeT1tSTvyCASoM=", "N is no power of two"),
        ("scrypt$1024$salt$8$-1$sBRFYJxJyR9gnQuMQio24Q6ZTaugiqeT1tSTvyCASoM=", "a sign"),
        (String(repeating: "$", count: 600), "too long"), ("$scrypt$ln=15,r=8,p=3\0$\(salt)$\(key)", "NUL"),
    ]

    @Test("what is no hash, or would cost too much, is not read", arguments: unreadable)
    func malformed(_ row: (text: String, why: String)) { #expect(PasswordHash(row.text) == nil, "\(row.why)") }

    @Test("base64 of every length comes back", arguments: 0..<20)
    func base64(_ count: Int) {
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 * 37 + 11) }
        #expect(Base64.decode(Base64.encode(bytes), padded: false) == bytes)
    }
}
