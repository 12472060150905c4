import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

const { ITWIN_BASE_URL: base, ITWIN_ACCESS_TOKEN: token } = process.env;

// The code under test.
async function favorites() {
  const headers = { Authorization: `Bearer ${token}`, Accept: "application/vnd.bentley.itwin-platform.v1+json" };
  const response = await fetch(`${base}/itwins/favorites`, { headers });
  if (!response.ok) throw new Error(`the platform answered ${response.status}`);
  return (await response.json()).iTwins.map((itwin) => itwin.displayName);
}

// The emulator's controls.
async function control(method, path, body) {
  const response = await fetch(`${base}/_emulator${path}`, { method, body: body && JSON.stringify(body) });
  assert.ok(response.ok, await response.text());
}

beforeEach(() => control("POST", "/reset", { itwins: 0 }));

test("it lists favorites", async () => {
  await control("POST", "/world", { itwins: [{ displayName: "Harbour" }], favorites: { demo: ["Harbour"] } });
  assert.deepEqual(await favorites(), ["Harbour"]);
  await control("POST", "/assert", { match: "GET /itwins/favorites", times: 1, user: "demo" });
});

test("it says what went wrong", async () => {
  await control("POST", "/faults", { match: "GET /itwins/favorites", status: 503 });
  await assert.rejects(favorites(), /503/);
});
