import Transport

/// A client's connection, whatever it speaks: what a shard asks of all of them.
class ClientChannel: Channel {
    /// Ends when idle, else with what is under way.
    func drain() {}
    /// Ends what is under way, with a last word where that can be read.
    func cut() {}
    /// Ends at once.
    func kill() {}
}
