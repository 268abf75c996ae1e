import CNghttp2
import Transport

/// Turns a head written as HTTP/1.1 text into the fields of a header block.
///
/// Invariant: the pointers of `withFields` point into the text's buffer or at literals, and are valid during its call
/// only; nghttp2 copies what it keeps.
@safe
struct HTTP2Fields {
    private struct Entry {
        var name: ByteRange
        var value: ByteRange
    }

    private var entries: [Entry] = []
    private var fields: [nghttp2_nv] = unsafe []
    private var responses = ResponseHeadParser()
    private var response = ResponseHead()
    private var requests: RequestHeadParser
    private var request = RequestHead()
    private var pseudo = Pseudo.none
    let trailerText = ByteBuffer(capacity: 256)

    private enum Pseudo {
        case none
        case status(ByteRange)
        case request(method: ByteRange, target: ByteRange, authority: ByteRange?, scheme: StaticString)
    }

    /// Bytes of a head of ours at most: a client's and what is added to it.
    private static let headAtMost = 256 * 1024

    init() {
        var limits = HeadLimits()
        limits.head = Self.headAtMost
        limits.fields = 512
        limits.target = Self.headAtMost
        requests = RequestHeadParser(limits: limits)
    }

    /// Reads a response's head; false when it is none.
    mutating func takeResponse(_ text: ByteBuffer) -> Bool {
        guard responses.parse(text.readable, answering: .get, into: &response) == .complete else {
            responses.reset()
            return false
        }
        pseudo = .status(ByteRange(start: 9, count: 3))
        take(response.fields, text, without: nil)
        return true
    }

    /// Reads a request's head; false when it is none.
    mutating func takeRequest(_ text: ByteBuffer, scheme: StaticString) -> Bool {
        guard requests.parse(text.readable, into: &request) == .complete else {
            requests.reset()
            return false
        }
        pseudo = .request(
            method: request.methodRange, target: request.target, authority: request.host, scheme: scheme)
        take(request.fields, text, without: .host)
        return true
    }

    /// Reads trailer lines.
    mutating func takeTrailers(_ lines: [UInt8]) -> Bool {
        pseudo = .none
        entries.removeAll(keepingCapacity: true)
        trailerText.removeAll()
        trailerText.append(lines)
        var line = FieldLine()
        var place = 0
        while place < trailerText.readableCount {
            guard case .field = line.parse(trailerText.readable, from: place, .shared) else { return false }
            entries.append(Entry(name: line.name, value: line.value))
            place = line.next
        }
        lowercase(trailerText)
        return true
    }

    private mutating func take(_ list: [Field], _ text: ByteBuffer, without left: FieldName?) {
        entries.removeAll(keepingCapacity: true)
        for field in list {
            switch field.id {
            case .connection, .transferEncoding, .keepAlive, .proxyConnection, .upgrade: continue
            default: if field.id == left { continue }
            }
            entries.append(Entry(name: field.name, value: field.value))
        }
        lowercase(text)
    }

    private func lowercase(_ text: ByteBuffer) {
        for entry in entries { text.lowercase(entry.name.range) }
    }

    /// Calls `body` with the fields of the head that was read from `text`.
    mutating func withFields(
        in text: ByteBuffer, _ body: (UnsafePointer<nghttp2_nv>?, Int) -> Int32
    ) -> Int32 {
        unsafe fields.removeAll(keepingCapacity: true)
        return unsafe text.readable.withUnsafeBufferPointer { bytes in
            guard let base = bytes.baseAddress else { return -1 }
            switch pseudo {
            case .none: break
            case .status(let range): unsafe add(":status", base, range)
            case .request(let method, let target, let authority, let scheme):
                unsafe add(":method", base, method)
                add(":scheme", scheme)
                if let authority { unsafe add(":authority", base, authority) }
                unsafe add(":path", base, target)
            }
            for entry in entries {
                unsafe fields.append(
                    nghttp2_nv(
                        name: UnsafeMutablePointer(mutating: base + Int(entry.name.start)),
                        value: UnsafeMutablePointer(mutating: base + Int(entry.value.start)),
                        namelen: Int(entry.name.count), valuelen: Int(entry.value.count),
                        flags: UInt8(NGHTTP2_NV_FLAG_NONE.rawValue)))
            }
            return unsafe fields.withUnsafeBufferPointer { unsafe body($0.baseAddress, $0.count) }
        }
    }

    private mutating func add(_ name: StaticString, _ base: UnsafePointer<UInt8>, _ value: ByteRange) {
        unsafe fields.append(
            nghttp2_nv(
                name: UnsafeMutablePointer(mutating: name.utf8Start),
                value: UnsafeMutablePointer(mutating: base + Int(value.start)), namelen: name.utf8CodeUnitCount,
                valuelen: Int(value.count), flags: UInt8(NGHTTP2_NV_FLAG_NO_COPY_NAME.rawValue)))
    }

    private mutating func add(_ name: StaticString, _ value: StaticString) {
        unsafe fields.append(
            nghttp2_nv(
                name: UnsafeMutablePointer(mutating: name.utf8Start),
                value: UnsafeMutablePointer(mutating: value.utf8Start), namelen: name.utf8CodeUnitCount,
                valuelen: value.utf8CodeUnitCount,
                flags: UInt8(NGHTTP2_NV_FLAG_NO_COPY_NAME.rawValue | NGHTTP2_NV_FLAG_NO_COPY_VALUE.rawValue)))
    }
}
