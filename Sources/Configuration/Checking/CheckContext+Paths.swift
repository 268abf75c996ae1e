extension CheckContext {
    /// A path that the gateway serves itself: literals, with a final slash.
    func ownPath(_ word: Word, of directive: String) -> PathPattern? {
        guard let pattern = pattern(word) else { return nil }
        guard pattern.parameters.isEmpty else {
            self.error(
                "'\(directive)' takes a path without parameters", at: word, suggestion: "write it like /api/auth/")
            return nil
        }
        return pattern.segments.isEmpty ? nothing(word, directive) : pattern
    }

    private func nothing(_ word: Word, _ directive: String) -> PathPattern? {
        self.error("'\(directive)' cannot be all of '/'", at: word, suggestion: "write it like /\(directive)/")
        return nil
    }

    private func pattern(_ word: Word) -> PathPattern? {
        do throws(PathPattern.Problem) {
            let pattern = try PathPattern(word.text)
            if pattern.isPrefix { return pattern }
            self.error("'\(word.text.clipped)' does not end in '/'", at: word, suggestion: "write '\(word.text)/'")
        } catch {
            self.error(error.message, at: word, suggestion: error.suggestion)
        }
        return nil
    }

    /// A path with `{agent_id}` and no other parameter.
    func agentPath(_ word: Word, final: Bool) -> PathPattern? {
        let found: PathPattern?
        if final {
            found = pattern(word)
        } else {
            do throws(PathPattern.Problem) { found = try PathPattern(word.text) } catch {
                self.error(error.message, at: word, suggestion: error.suggestion)
                return nil
            }
        }
        guard let found else { return nil }
        guard found.parameters == ["agent_id"] else {
            self.error(
                found.parameters.contains("agent_id")
                    ? "a parameter beside {agent_id}" : "the path does not say which agent",
                at: word, suggestion: "write it like /api/agents/{agent_id}/\(final ? "api-keys/" : "")")
            return nil
        }
        return found
    }
}
