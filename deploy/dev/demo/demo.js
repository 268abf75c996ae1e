"use strict";

// A page in cookie mode: it never sees a token, and sends none. The browser's Sec-Fetch-Site proves where it comes from; the
// header below is what does so in browsers that do not send it.
const element = (id) => document.getElementById(id);
let calls = 0;

const csrf = () => document.cookie.split("; ").find((pair) => pair.startsWith("__Host-csrf="))?.split("=")[1];

async function send(method, path, body) {
  const headers = csrf() === undefined ? {} : { "X-CSRF-Token": csrf() };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const answer = await fetch(path, { method, headers, body: body && JSON.stringify(body), credentials: "same-origin" });
  const text = await answer.text();
  return { status: answer.status, value: text === "" ? {} : JSON.parse(text) };
}

function note(text) {
  const item = document.createElement("li");
  item.textContent = text;
  element("events").prepend(item);
}

async function act(name, work) {
  try {
    const { status, value } = await work();
    note(`${name}: ${status}${value.error ? ` ${value.error}` : ""}${value.identity ? `, user ${value.identity["X-User-Id"]}` : ""}`);
    return status;
  } catch (problem) {
    note(`${name}: ${problem.message}`);
    return 0;
  }
}

element("login").addEventListener("submit", async (event) => {
  event.preventDefault();
  const status = await act("login", () =>
    send("POST", "/api/auth/login/", { email: element("email").value, password: element("password").value }));
  if (status === 200 && csrf() === undefined) note("The gateway set no cookies: write 'cookies on;' in its identity block.");
  if (status === 200) element("password").value = "";
});
element("call").addEventListener("click", () => act(`call ${++calls}`, () => send("POST", "/api/demo/", { call: calls })));
element("refresh").addEventListener("click", () => act("refresh", () => send("POST", "/api/auth/token/refresh/", {})));
element("logout").addEventListener("click", () => act("logout", () => send("POST", "/api/auth/logout/")));
