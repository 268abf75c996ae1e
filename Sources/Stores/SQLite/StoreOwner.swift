/// Whom the store's files belong to when root creates them for a process that will drop its privileges.
public struct StoreOwner: Sendable, Equatable {
    /// The user's number.
    public let userID: UInt32
    /// The group's number.
    public let groupID: UInt32

    /// A user and a group by number.
    public init(userID: UInt32, groupID: UInt32) {
        self.userID = userID
        self.groupID = groupID
    }
}
