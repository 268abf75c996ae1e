import Configuration
import Foundation
import Glibc
import Identity
import Policy
import Stores

/// Opens the store that the configuration names.
enum StoreAccess {
    /// The store, made when it is missing; `nil` when the configuration names none.
    static func open(_ configuration: Configuration) throws -> (any IdentityStore)? {
        let owner = try configuration.user.map(owner(named:))
        do throws(StoreError) {
            switch configuration.store {
            case .sqlite(let path): return try SQLiteStore(path: path, owner: owner)
            case .postgres(let location): return try PostgresStore(location)
            case nil: return nil
            }
        } catch {
            throw CommandFailure(error.message)
        }
    }

    /// The store for a command that manages what is in it.
    static func required(_ configuration: Configuration) throws -> any IdentityStore {
        guard let store = try open(configuration) else {
            throw CommandFailure("\(configuration.path) names no store; add 'store sqlite:data/gatehouse.db;'")
        }
        return store
    }

    /// The keys and revocations of a store that is there; none, and a note, when it is not.
    static func contentsForReading(
        _ configuration: Configuration
    ) throws -> (keys: [KeyRecord], revocations: [Revocation]) {
        do throws(StoreError) {
            let store: any IdentityStore
            switch configuration.store {
            case .sqlite(let path):
                guard FileManager.default.fileExists(atPath: path) else { return nothing(at: path) }
                store = try SQLiteStore(path: path, creating: false)
            case .postgres(let location):
                let found = try PostgresStore(location, creating: false)
                guard try found.isThere() else { return nothing(at: location.name) }
                store = found
            case nil: return ([], [])
            }
            return (try store.keys(), try store.revocations(after: -1, now: WallClock.now).entries)
        } catch {
            throw CommandFailure(error.message)
        }
    }

    private static func nothing(at name: String) -> (keys: [KeyRecord], revocations: [Revocation]) {
        Output.error("note: there is no store \(name) yet, so no API key is known")
        return ([], [])
    }

    private static func owner(named name: String) throws -> StoreOwner {
        guard let entry = unsafe getpwnam(name) else {
            throw CommandFailure("user \(name): there is no such user; create it or correct the directive")
        }
        return unsafe StoreOwner(userID: entry.pointee.pw_uid, groupID: entry.pointee.pw_gid)
    }
}
