import Testing
@testable import Stores
