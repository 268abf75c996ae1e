import CLinux
import Glibc

/// Gives up root once the sockets are bound.
enum Privileges {
    /// Becomes `user` with its groups, for good; returns its ids. Nothing is done when the process is that user already.
    static func drop(to user: String) throws(ServerError) -> (user: UInt32, group: UInt32) {
        guard let entry = unsafe getpwnam(user) else {
            throw ServerError(message: "user \(user): there is no such user; create it or correct the directive")
        }
        let (userID, groupID) = unsafe (entry.pointee.pw_uid, entry.pointee.pw_gid)
        guard geteuid() != userID else { return (userID, groupID) }
        guard geteuid() == 0 else {
            throw ServerError(message: "user \(user): only root can become another user; start as root or as \(user)")
        }
        guard unsafe initgroups(user, groupID) == 0, setgid(groupID) == 0, setuid(userID) == 0, setuid(0) != 0 else {
            throw ServerError(message: "user \(user): the privileges of root could not be given up")
        }
        return (userID, groupID)
    }
}
