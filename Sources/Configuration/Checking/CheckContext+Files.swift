extension CheckContext {
    /// What stands in the file that `word` names, or nil and an error. `name` is the path without a `file:`.
    func contents(of name: String, _ word: Word) -> FileAccess.Contents? {
        let path = word.span.file.resolve(name)
        do throws(FileAccess.Failure) {
            if name.isEmpty { throw FileAccess.Failure(message: "its name is empty") }
            return try files.read(path)
        } catch {
            self.error(
                "'\(path.clipped)' cannot be read: \(error.message)", at: word,
                suggestion: error.isMissing ? similar(to: path) : nil)
            return nil
        }
    }

    /// A file beside `path` with nearly its name.
    private func similar(to path: String) -> String {
        let slash = path.lastIndex(of: "/")
        let folder = slash.map { String(path[...$0]) } ?? ""
        guard files.isFolder(folder) else { return "there is no folder '\(folder.clipped)'" }
        let names = files.matches(folder + "*").map { String($0.dropFirst(folder.count)) }
        return Spelling.suggestion(for: String(path.dropFirst(folder.count)), among: names)
            ?? "names are relative to the folder of this file"
    }

    /// The bytes behind `file:PATH` or `env:NAME`, or nil and an error. What is written inline is not repeated.
    func secret(_ word: Word) -> [UInt8]? {
        if word.text.hasPrefix("file:") { return secretFile(String(word.text.dropFirst(5)), word) }
        if word.text.hasPrefix("env:") {
            let name = String(word.text.dropFirst(4))
            guard let value = environment[name], !value.isEmpty else {
                let why = environment[name] == nil ? "is not set" : "is empty"
                error(
                    "environment variable '\(name.clipped)' \(why)", at: word,
                    suggestion: Spelling.suggestion(for: name, among: environment.keys.sorted())
                        ?? "set it before the start")
                return nil
            }
            return Array(value.utf8)
        }
        let isFile = (try? files.read(word.span.file.resolve(word.text))) != nil
        diagnostics.error(
            "a secret is 'file:PATH' or 'env:NAME', never written inline", at: word.span,
            suggestion: isFile ? "write 'file:\(word.text)'" : "move it to a file that only you can read",
            isSecret: !isFile)
        return nil
    }

    private func secretFile(_ name: String, _ word: Word) -> [UInt8]? {
        guard let contents = contents(of: name, word), isPrivate(contents, name, word) else { return nil }
        if contents.bytes.isEmpty {
            error("'\(name.clipped)' is empty", at: word, suggestion: "put the secret there")
            return nil
        }
        return contents.bytes
    }

    /// Whether nobody but its owner can get at a secret; else an error with the command that mends it.
    func isPrivate(_ contents: FileAccess.Contents, _ name: String, _ word: Word) -> Bool {
        guard contents.mode & 0o077 != 0 else { return true }
        let path = word.span.file.resolve(name)
        error(
            "others can read the secret '\(path.clipped)' (mode \(String(contents.mode & 0o777, radix: 8)))", at: word,
            suggestion: "run: chmod 600 \(path)")
        return false
    }
}
