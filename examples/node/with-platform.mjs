// Runs a command beside a local iTwin Platform: node with-platform.mjs COMMAND ARGUMENTS...
// The command finds it in ITWIN_BASE_URL, and a token of its demo user in ITWIN_ACCESS_TOKEN.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

const python = process.env.PYTHON ?? "python3";
const platform = spawn(python, ["-m", "itwin_async.emulator"], { stdio: ["ignore", "pipe", "inherit"] });
const lines = createInterface({ input: platform.stdout })[Symbol.asyncIterator]();
const url = (await lines.next()).value;
const token = (await lines.next()).value;
if (token === undefined) process.exit(1);

const [command, ...words] = process.argv.slice(2);
const env = { ...process.env, ITWIN_BASE_URL: url, ITWIN_ACCESS_TOKEN: token };
const child = spawn(command, words, { stdio: "inherit", env });
child.on("close", (code) => {
  platform.kill();
  process.exitCode = code ?? 1;
});
