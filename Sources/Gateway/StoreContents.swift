import JOSE
import Policy

/// What the shards know of the store and of issuers elsewhere: every shard begins with it, and changes are posted to each.
struct StoreContents: Sendable {
    var keys = KeyTable.empty
    var revocations = RevocationSet()
    /// The store has not answered for `store_stale`.
    var isSilent = false
    /// Keys that were fetched, by the issuer's index; none that an issuer has lost.
    var remoteKeys: [Int: [VerificationKey]] = [:]

    /// The issuers with their keys as they are now.
    func issuers(_ configured: [TokenIssuer]) -> [TokenIssuer] {
        var issuers = configured
        for (index, keys) in remoteKeys where index < issuers.count { issuers[index].keys = keys }
        return issuers
    }
}
