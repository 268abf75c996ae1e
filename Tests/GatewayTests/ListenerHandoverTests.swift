import Testing
import Transport

@testable import Gateway

@Suite struct ListenerHandoverTests {
    @Test("what a process writes its successor reads")
    func roundTrip() {
        let handover = ListenerHandover(
            ready: 9, sockets: ["127.0.0.1:8443": [5, 6], "[::]:80": [7], "unix:/a path/s": [8]])
        #expect(ListenerHandover(text: handover.text) == handover)
        #expect(Set(handover.descriptors) == [5, 6, 7, 8, 9])
    }

    @Test(
        "anything else is nothing",
        arguments: [
            "", "ready", "ready x", "ready 2", "ready 9\n", "ready 9\n5", "ready 9\n5, 127.0.0.1:1", "ready 9\n-5 a",
            "ready 9\n1 a", "ready 9\n5 a\n6 a", "ready 9\n5 ", "ready 99999999999", "ready +9", "set 9\n5 a",
        ])
    func refused(text: String) { #expect(ListenerHandover(text: text) == nil) }

    @Test("a path without a slash is looked for, others are absolute", arguments: ["sh", "/bin/sh", "./x/y"])
    func programPath(name: String) {
        let path = ProgramPath.find(name)
        #expect(path.hasPrefix("/") && path.hasSuffix(name == "sh" ? "/sh" : name))
    }
}
