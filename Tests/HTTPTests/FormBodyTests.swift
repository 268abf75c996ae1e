import HTTP
import Testing

@Suite("FormBody: one field of a form, read strictly")
struct FormBodyTests {
    /// The value of `token`, or why there is none.
    private func token(in body: String) -> Result<String, FormBody.Problem> {
        do throws(FormBody.Problem) {
            return .success(String(decoding: try FormBody.value(of: "token", in: Array(body.utf8)), as: UTF8.self))
        } catch { return .failure(error) }
    }

    @Test(
        "a value, wherever it stands",
        arguments: [
            ("token=abc", "abc", "alone"), ("token=abc&token_type_hint=refresh_token", "abc", "first"),
            ("token_type_hint=x&token=abc", "abc", "last"), ("a=1&token=abc&b=2", "abc", "between"),
            ("&&token=abc&", "abc", "empty pairs are none"), ("a&token=abc", "abc", "a name without a value"),
            ("token=a.b.c", "a.b.c", "a JWT"), ("token=a=b==", "a=b==", "only the first equals sign parts"),
            ("token=a+b", "a b", "a plus is a blank"), ("token=a%20b", "a b", "so is its escape"),
            ("token=a%2Bb", "a+b", "a plus that was escaped"), ("token=a%2bb", "a+b", "lower case digits"),
            ("token=%C3%A9", "é", "bytes of UTF-8"), ("token=a%26b%3Dc", "a&b=c", "what would part fields"),
            ("%74oken=abc", "abc", "a name may be escaped"), ("token=%", nil, "an escape without digits"),
            ("token=%2", nil, "with one"), ("token=%zz", nil, "with others"), ("token=%+1", nil, "with a sign"),
            ("token=% 1", nil, "with a blank"), ("tok%en=abc", nil, "in a name"),
            ("%=1&token=abc", nil, "in another's name"),
        ] as [(String, String?, String)])
    func value(body: String, expected: String?, why: String) {
        #expect(token(in: body) == (expected.map { .success($0) } ?? .failure(.malformed)), "\(why)")
    }

    @Test(
        "a value that is not there",
        arguments: [
            ("", "an empty form"), ("&", "empty pairs"), ("a=1", "another field"), ("token", "no value"),
            ("token=", "an empty one"), ("token=&a=1", "likewise"), ("=abc", "no name"), ("Token=abc", "another case"),
            ("token =abc", "a blank"), ("token+=abc", "likewise"), ("atoken=abc", "a longer name"),
            ("toke=abc", "a shorter one"),
            ("{\"token\":\"abc\"}", "JSON"), ("token;x=abc", "a semicolon parts nothing"),
        ])
    func missing(body: String, why: String) {
        #expect(token(in: body) == .failure(.missing), "\(why)")
    }

    @Test(
        "a field that is there twice, RFC 6749 §3.1",
        arguments: [
            ("token=a&token=b", "two values"), ("token=a&token=a", "the same"),
            ("token=a&x=1&%74oken=b", "an escaped name"),
            ("token=&token=a", "an empty one first"), ("token=a&token", "one without a value last"),
            ("token&token", "none"),
        ])
    func repeated(body: String, why: String) {
        #expect(token(in: body) == .failure(.repeated), "\(why)")
    }

    @Test("every byte may be escaped")
    func bytes() throws {
        let all = (UInt8.min...UInt8.max).map { $0 }
        let hex = Array("0123456789abcdef".utf8)
        let escaped = all.flatMap { [UInt8(ascii: "%"), hex[Int($0 >> 4)], hex[Int($0 & 15)]] }
        #expect(FormBody.decode(escaped) == all)
        #expect(try FormBody.value(of: "token", in: Array("token=".utf8) + escaped) == all)
        #expect(FormBody.decode([]) == [])
        #expect(FormBody.decode(all.filter { $0 != UInt8(ascii: "%") })?.count == 255, "and none has to be")
    }

    @Test("a form of many fields is read in one pass")
    func large() throws {
        let body = Array((String(repeating: "a=1&", count: 200_000) + "token=x").utf8)
        #expect(try FormBody.value(of: "token", in: body) == [UInt8(ascii: "x")])
    }
}
