/// One field line of a head, as ranges of the bytes that the parser was given.
public struct Field: Sendable {
    /// The name as sent.
    public var name: ByteRange
    /// The value without the blanks around it.
    public var value: ByteRange
    /// The whole line with its CRLF, so that it can be passed on as it came.
    public var line: ByteRange
    /// Which of the known names it is.
    public var id: FieldName
    /// The name is not `id`'s own but one that applications may take for it (`X_User_Id`). Never passed on, and never
    /// read in `id`'s place.
    public var isAlias: Bool
    /// Named by a `Connection` option: meant for this hop only (RFC 9110 §7.6.1).
    public var nominated: Bool

    /// A field at these places.
    public init(
        name: ByteRange, value: ByteRange, line: ByteRange, id: FieldName, isAlias: Bool = false,
        nominated: Bool = false
    ) {
        self.name = name
        self.value = value
        self.line = line
        self.id = id
        self.isAlias = isAlias
        self.nominated = nominated
    }
}
