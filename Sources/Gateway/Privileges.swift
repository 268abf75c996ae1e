import CLinux
import Glibc

/// Gives up root once the sockets are bound.
enum Privileges {
    /// The numbers of a user and its group.
    typealias Identity = (user: UInt32, group: UInt32)

    /// Looks `user` up.
    static func identity(of user: String) throws(ServerError) -> Identity {
        guard let entry = unsafe getpwnam(user) else {
            throw ServerError(message: "user \(user): there is no such user; create it or correct the directive")
        }
        return unsafe (entry.pointee.pw_uid, entry.pointee.pw_gid)
    }

    /// Becomes `user` with its groups, for good. Nothing is done when the process is that user already.
    static func drop(to user: String, _ identity: Identity) throws(ServerError) {
        guard geteuid() != identity.user else { return }
        guard geteuid() == 0 else {
            throw ServerError(message: "user \(user): only root can become another user; start as root or as \(user)")
        }
        guard unsafe initgroups(user, identity.group) == 0, setgid(identity.group) == 0, setuid(identity.user) == 0,
            setuid(0) != 0
        else { throw ServerError(message: "user \(user): the privileges of root could not be given up") }
    }
}
