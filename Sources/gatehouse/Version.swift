/// What `version` and `--version` say.
let gatehouseVersion = "0.1.0"
