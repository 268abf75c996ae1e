import Configuration
import Foundation
import JOSE
import Testing

@testable import Providers

@Suite("KeyFile: an issuer's last good key set on disk")
struct KeyFileTests {
    private let folder = Folder()
    private static let set = Array(#"{"keys":[{"kty":"EC","kid":"a","x":"AQ"}],"n":9007199254740993}"#.utf8)

    private func location(_ text: String = "https://l.example/k") throws -> RemoteKeys.Location {
        .keySet(try #require(RemoteURL(text)))
    }

    private func file(_ name: String = "login", at location: RemoteKeys.Location? = nil, in folder: String? = nil)
        throws -> KeyFile
    {
        KeyFile(folder: folder ?? self.folder.path, name: name, location: try location ?? self.location())
    }

    private func text(_ bytes: [UInt8]?) -> String? { bytes.map { String(decoding: $0, as: UTF8.self) } }

    @Test("a set and its time come back, for another process too, every digit of it")
    func roundTrip() throws {
        #expect(try file().read() == nil, "nothing was kept")
        try file().write(KeySource.Kept(set: Self.set, fetchedAt: 1_700_000_000))
        let kept = try #require(try file().read())
        #expect(text(kept.set) == text(Self.set) && kept.fetchedAt == 1_700_000_000)
        try file().write(KeySource.Kept(set: Array(#"{"keys":[]}"#.utf8), fetchedAt: 1_700_000_001))
        let newer = try #require(try file().read())
        #expect(text(newer.set) == #"{"keys":[]}"# && newer.fetchedAt == 1_700_000_001, "the new one takes its place")
        #expect(folder.names == ["keys-login.json"], "and nothing else stays behind")
    }

    @Test("nobody but its owner can read it, and the folder is made when it is missing")
    func modes() throws {
        let new = folder.file("data")
        let file = try file(in: new)
        try file.write(KeySource.Kept(set: Self.set, fetchedAt: 1))
        #expect(folder.mode("data") == 0o700 && folder.mode("data/keys-login.json") == 0o600)
        #expect(try self.file(in: new).read() != nil)
    }

    @Test("issuers have files of their own")
    func names() throws {
        try file("one").write(KeySource.Kept(set: Self.set, fetchedAt: 1))
        try file("two").write(KeySource.Kept(set: Array(#"{"keys":[]}"#.utf8), fetchedAt: 2))
        #expect(try file("one").read()?.fetchedAt == 1 && file("two").read()?.fetchedAt == 2)
        #expect(try file("three").read() == nil)
        #expect(folder.names == ["keys-one.json", "keys-two.json"])
    }

    @Test("a set of another place is none: the configuration may name another issuer since")
    func location() throws {
        let url = try #require(RemoteURL("https://l.example/k"))
        try file().write(KeySource.Kept(set: Self.set, fetchedAt: 1))
        for other in [try location("https://l.example/K"), try location("https://m.example/k"), .issuer(url)] {
            #expect(try file(at: other).read() == nil)
        }
        #expect(try file().read() != nil)
        try file(at: .issuer(url)).write(KeySource.Kept(set: Self.set, fetchedAt: 2))
        #expect(try file().read() == nil && file(at: .issuer(url)).read()?.fetchedAt == 2)
    }

    static let damaged: [(String, String)] = [
        ("", "an empty file"), ("{", "half a file"), ("[]", "no object"), ("null", "no object"),
        (#"{"location":"https://l.example/k","fetched_at":1,"set":{}"#, "the last byte is missing"),
        (#"{"location":"https://l.example/k","fetched_at":1}"#, "no set"),
        (#"{"location":"https://l.example/k","fetched_at":1,"set":[]}"#, "a set that is no object"),
        (#"{"location":"https://l.example/k","fetched_at":1,"set":"{}"}"#, "a set that is text"),
        (#"{"location":"https://l.example/k","set":{}}"#, "no time"),
        (#"{"location":"https://l.example/k","fetched_at":"1","set":{}}"#, "a time that is text"),
        (#"{"location":"https://l.example/k","fetched_at":1.5,"set":{}}"#, "a fraction of a second"),
        (#"{"fetched_at":1,"set":{}}"#, "no place"),
        (#"{"location":1,"fetched_at":1,"set":{}}"#, "a place that is no text"),
        (#"{"location":"https://l.example/k","location":"x","fetched_at":1,"set":{}}"#, "a name twice"),
        (#"{"location":"https://l.example/k","fetched_at":1,"set":{}}x"#, "something behind it"),
    ]

    @Test("a damaged file is no set, and the next fetch mends it", arguments: damaged)
    func damage(contents: String, why: String) throws {
        folder.write("keys-login.json", contents)
        #expect(try file().read() == nil, "\(why)")
        try file().write(KeySource.Kept(set: Self.set, fetchedAt: 2))
        #expect(try file().read()?.fetchedAt == 2, "\(why)")
    }

    @Test("a file that was cut off anywhere is no set")
    func truncated() throws {
        try file().write(KeySource.Kept(set: Self.set, fetchedAt: 1))
        let whole = try Data(contentsOf: URL(filePath: folder.file("keys-login.json")))
        for count in 0..<whole.count {
            folder.write("keys-login.json", String(decoding: whole.prefix(count), as: UTF8.self))
            #expect(try file().read() == nil, "\(count) bytes")
        }
    }

    @Test("a file that is too large is not read")
    func size() throws {
        let limit = 2 * ProviderRequest.keySetAtMost
        let start = #"{"location":"https://l.example/k","fetched_at":1,"set":{},"pad":""#
        for (count, isRead) in [(limit - 1, true), (limit, false), (limit + 1, false)] {
            let pad = String(repeating: "x", count: count - start.utf8.count - 2)
            folder.write("keys-login.json", start + pad + #""}"#)
            #expect(try (file().read() != nil) == isRead, "\(count) bytes")
        }
    }

    @Test("a link in its place is not followed, and the next set takes its place")
    func link() throws {
        try file("real").write(KeySource.Kept(set: Self.set, fetchedAt: 1))
        try FileManager.default.createSymbolicLink(
            atPath: folder.file("keys-login.json"), withDestinationPath: folder.file("keys-real.json"))
        #expect(try file().read() == nil, "somebody else's keys")
        try file().write(KeySource.Kept(set: Self.set, fetchedAt: 2))
        #expect(try file().read()?.fetchedAt == 2)
        #expect(try file("real").read()?.fetchedAt == 1, "what it led to is as it was")
    }

    @Test("a link where the new file is written is an error, and the old one stays")
    func linkBeside() throws {
        try file().write(KeySource.Kept(set: Self.set, fetchedAt: 1))
        folder.write("target", "mine")
        try FileManager.default.createSymbolicLink(
            atPath: folder.file("keys-login.json.new"), withDestinationPath: folder.file("target"))
        #expect(throws: ProviderFailure.self) { try file().write(KeySource.Kept(set: Self.set, fetchedAt: 2)) }
        #expect(try file().read()?.fetchedAt == 1)
        #expect(folder.contents("target") == "mine", "nothing was written through it")
    }

    @Test("a rest of a write that was killed is no obstacle")
    func leftover() throws {
        folder.write("keys-login.json.new", String(repeating: "x", count: 10_000))
        try file().write(KeySource.Kept(set: Self.set, fetchedAt: 1))
        #expect(try file().read()?.fetchedAt == 1 && folder.names == ["keys-login.json"])
    }

    @Test("a folder that cannot be is said, with its name and the reason")
    func unwritable() throws {
        folder.write("data", "a file, not a folder")
        #expect(
            failure { try file(in: folder.file("data")).write(KeySource.Kept(set: Self.set, fetchedAt: 1)) }
                == "\(folder.path)/data/keys-login.json.new cannot be written: Not a directory")
        #expect(
            failure { try file(in: folder.file("a/b")).write(KeySource.Kept(set: Self.set, fetchedAt: 1)) }
                == "\(folder.path)/a/b/keys-login.json.new cannot be written: No such file or directory")
        #expect(try file(in: folder.file("data")).read() == nil && file(in: folder.file("a/b")).read() == nil)
    }

    @Test("something in the file's place that cannot be replaced is said, and leaves nothing behind")
    func occupied() throws {
        folder.makeFolder("keys-login.json/x")
        let text = failure { try file().write(KeySource.Kept(set: Self.set, fetchedAt: 1)) }
        #expect(text?.hasPrefix("\(folder.path)/keys-login.json cannot be written: ") == true)
        #expect(text?.hasSuffix(": Is a directory") == true)
        #expect(folder.names == ["keys-login.json"] && (try? file().read()) == nil)
    }

    /// What went wrong.
    private func failure(_ body: () throws -> Void) -> String? {
        do { try body() } catch { return (error as? ProviderFailure)?.description }
        return nil
    }
}
