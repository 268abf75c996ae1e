"use strict";

// The keys page. Tokens live in this closure alone, or, in cookie mode, in cookies that no script can read.
(() => {
  const setting = (name) => document.querySelector(`meta[name="gatehouse-${name}"]`).content;
  const identity = setting("identity");
  const usesCookies = setting("cookies") === "on";
  const element = (id) => document.getElementById(id);

  let access = null;
  let refresh = null;
  let renewal = null;
  let agent = null;
  let chosen = null;

  // MARK: Requests

  class Refused extends Error {
    constructor(status, envelope) {
      super(envelope.message || `The gateway answered ${status}.`);
      this.code = envelope.error;
      this.details = envelope.details || {};
    }
  }

  function proof() {
    const found = document.cookie.split("; ").find((pair) => pair.startsWith("__Host-csrf="));
    return found ? { "X-CSRF-Token": found.slice("__Host-csrf=".length) } : {};
  }

  async function send(method, path, body) {
    const headers = { Accept: "application/json", ...(usesCookies ? proof() : {}) };
    if (body !== undefined) headers["Content-Type"] = "application/json";
    if (access !== null) headers.Authorization = `Bearer ${access}`;
    const answer = await fetch(path, {
      method, headers, body: body === undefined ? undefined : JSON.stringify(body),
      credentials: usesCookies ? "same-origin" : "omit", cache: "no-store", redirect: "error",
    });
    const text = await answer.text();
    let value = {};
    try { value = text === "" ? {} : JSON.parse(text); } catch { /* not ours: the status says enough */ }
    if (!answer.ok) throw new Refused(answer.status, value);
    return value;
  }

  // One renewal at a time, whoever needs it: a refresh token may be good for one use.
  function renew() {
    renewal ??= send("POST", `${identity}token/refresh/`, usesCookies ? {} : { refresh })
      .then((tokens) => {
        if (!usesCookies) {
          access = tokens.access;
          refresh = tokens.refresh ?? refresh;
        }
      })
      .finally(() => { renewal = null; });
    return renewal;
  }

  async function ask(method, path, body) {
    try {
      return await send(method, path, body);
    } catch (problem) {
      const canRenew = problem.code === "token_expired" && (usesCookies || refresh !== null);
      if (!canRenew) throw problem;
      if (!usesCookies) access = null;
      await renew();
      return send(method, path, body);
    }
  }

  const keysPath = (...rest) =>
    [setting("api-keys").replace("{agent_id}", encodeURIComponent(agent)), ...rest.map((part) => `${encodeURIComponent(part)}/`)].join("");

  // MARK: What is shown

  function say(text) { element("status").textContent = text; }

  function complain(problem) {
    const line = element("problem");
    if (problem === null) {
      line.hidden = true;
      return;
    }
    const { field, reason, required, request_id: id } = problem.details ?? {};
    let text = problem instanceof Refused ? problem.message : "The gateway cannot be reached. Try again.";
    if (reason) text += `: ${field ? `${field} ` : ""}${reason}`;
    if (required) text += `: ${required}`;
    if (id) text += ` (request ${id})`;
    line.textContent = text;
    line.hidden = false;
    say("");
  }

  // Runs an action of the user: its button waits, and what goes wrong is shown.
  // A button that is busy cannot have the focus: it gets it when it is done.
  let nextFocus = null;

  function focusOn(button) {
    if (button.disabled) nextFocus = button;
    else button.focus();
  }

  async function act(button, work) {
    if (button.disabled) return;
    complain(null);
    button.disabled = true;
    try {
      await work();
    } catch (problem) {
      if (["token_revoked", "token_expired", "credentials_missing"].includes(problem.code) && !element("agent").hidden) {
        leave();
      }
      complain(problem);
    } finally {
      button.disabled = false;
      if (nextFocus === button) button.focus();
      nextFocus = null;
    }
  }

  function leave() {
    access = refresh = agent = chosen = null;
    for (const id of ["agent", "keys", "who"]) element(id).hidden = true;
    for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close();
    element("key-value").value = "";
    element("login").hidden = false;
    element("password").value = "";
    element("email").focus();
  }

  const day = (text) => text === null ? "–" : new Date(text).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });

  function state(key) {
    if (key.revokedAt !== null) return "revoked";
    if (key.expiresAt !== null && new Date(key.expiresAt) <= new Date()) return "expired";
    return "active";
  }

  function cell(row, label, text, tag) {
    const cell = row.insertCell();
    cell.dataset.label = label;
    const place = tag ? cell.appendChild(document.createElement(tag)) : cell;
    place.textContent = text;
    return cell;
  }

  function action(cell, text, key, dialog) {
    const button = cell.appendChild(document.createElement("button"));
    button.type = "button";
    button.className = "quiet";
    button.textContent = text;
    button.setAttribute("aria-label", `${text} ${key.name} (${key.prefix}…)`);
    button.addEventListener("click", () => {
      chosen = key;
      dialog.querySelector("[data-name]").textContent = `${key.name} (${key.prefix}…)`;
      dialog.showModal();
    });
  }

  async function list() {
    const { keys } = await ask("GET", keysPath());
    const body = document.createElement("tbody");
    for (const key of keys.reverse()) {
      const row = body.insertRow();
      const standing = state(key);
      row.className = standing === "active" ? "" : "dead";
      cell(row, "Name", key.name);
      cell(row, "Starts with", `${key.prefix}…`, "code");
      cell(row, "Created", day(key.createdAt));
      cell(row, "Last used", day(key.lastUsedAt));
      cell(row, "Expires", key.expiresAt === null ? "never" : day(key.expiresAt));
      cell(row, "State", standing);
      cell(row, "Requests", key.usedToday === undefined ? "–" : `${key.usedToday} today, ${key.usedThisMonth} this month`);
      cell(row, "Limits", [key.rateLimit, key.quota].filter(Boolean).join(", ") || "–");
      const actions = cell(row, "", "");
      actions.className = "actions";
      if (standing === "active") {
        action(actions, "Rotate", key, element("rotate-key"));
        action(actions, "Revoke", key, element("revoke-key"));
      }
    }
    element("key-table").tBodies[0].replaceWith(body);
    element("key-table").hidden = keys.length === 0;
    element("no-keys").hidden = keys.length > 0;
    element("keys-title").textContent = `Keys of ${agent}`;
    element("keys").hidden = false;
  }

  function show(key) {
    element("key-value").value = key.key;
    element("copied").textContent = "";
    element("shown-key").showModal();
    element("copy").focus();
  }

  // MARK: What the user does

  element("login-form").addEventListener("submit", (event) => {
    event.preventDefault();
    act(event.submitter ?? element("login-form").querySelector("button"), async () => {
      say("Logging in…");
      access = refresh = null;
      const tokens = await send("POST", `${identity}login/`, {
        email: element("email").value, password: element("password").value,
      });
      if (!usesCookies) ({ access, refresh } = tokens);
      element("password").value = "";
      element("who-name").textContent = [tokens.user.firstName, tokens.user.lastName].join(" ").trim() || tokens.user.email;
      element("login").hidden = true;
      element("who").hidden = element("agent").hidden = false;
      say("Logged in.");
      element("agent-id").focus();
    });
  });

  element("agent-form").addEventListener("submit", (event) => {
    event.preventDefault();
    act(element("agent-form").querySelector("button"), async () => {
      element("keys").hidden = true;
      agent = element("agent-id").value.trim();
      if (agent === "") throw new Refused(400, { message: "Enter the agent's ID" });
      await list();
      say("");
      element("keys-title").focus();
    });
  });

  element("generate").addEventListener("click", () => {
    element("new-key-form").reset();
    element("new-key").showModal();
    element("key-name").focus();
  });

  element("new-key-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const name = element("key-name").value.trim();
    const date = element("key-expiry").value;
    const limit = (id) => element(id).value === "" ? undefined : `${element(id).value}/${element(`${id}-unit`).value}`;
    const limits = { rateLimit: limit("key-rate"), quota: limit("key-quota") };
    element("new-key").close();
    act(element("generate"), async () => {
      const body = { name, ...limits };
      if (date !== "") body.expiresAt = new Date(`${date}T23:59:59`).toISOString();
      const key = await ask("POST", keysPath(), body);
      show(key);
      await list();
      say(`Key ${key.name} was generated.`);
    });
  });

  element("rotate-form").addEventListener("submit", (event) => {
    event.preventDefault();
    element("rotate-key").close();
    act(element("generate"), async () => {
      const key = await ask("POST", keysPath(chosen.id, "rotate"), { graceSeconds: Number(element("grace").value) });
      show(key);
      await list();
      say(`Key ${key.name} was rotated.`);
    });
  });

  element("revoke-form").addEventListener("submit", (event) => {
    event.preventDefault();
    element("revoke-key").close();
    act(element("generate"), async () => {
      await ask("DELETE", keysPath(chosen.id));
      await list();
      say(`Key ${chosen.name} was revoked.`);
      element("keys-title").focus();
    });
  });

  element("copy").addEventListener("click", async () => {
    const field = element("key-value");
    field.select();
    try {
      await navigator.clipboard.writeText(field.value);
      element("copied").textContent = "Copied.";
    } catch {
      element("copied").textContent = "Press Ctrl+C to copy the selected key.";
      field.focus();
    }
  });

  element("done").addEventListener("click", () => element("shown-key").close());
  element("shown-key").addEventListener("close", () => {
    element("key-value").value = "";
    focusOn(element("generate"));
  });
  for (const button of document.querySelectorAll("[data-close]")) {
    button.addEventListener("click", () => button.closest("dialog").close());
  }

  element("log-out").addEventListener("click", () =>
    act(element("log-out"), async () => {
      try {
        await ask("POST", `${identity}logout/`);
      } finally {
        leave();
      }
      say("Logged out.");
    }));

  element("email").focus();
})();
