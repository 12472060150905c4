// Does the work of a plan with the official client; one plan a line comes in, one count a line goes out.
"use strict";
const { IModelsClient } = require("@itwin/imodels-client-management");
const readline = require("node:readline");

const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

async function read(client, authorization, plan) {
  const urlParams = { iTwinId: plan.itwinId, $top: plan.pageSize };
  const list = plan.full
    ? client.favoriteIModels.getRepresentationList({ authorization, urlParams })
    : client.favoriteIModels.getMinimalList({ authorization, urlParams });
  let named = 0;
  for await (const page of list.byPage()) {
    for (const item of page) if (item.displayName) named += 1;
    if (plan.pause) await pause(plan.pause);
  }
  return named;
}

async function write(client, authorization, plan) {
  let next = 0;
  const work = async () => {
    let done = 0;
    while (next < plan.ids.length) {
      await client.favoriteIModels.add({ authorization, iModelId: plan.ids[next++] });
      done += 1;
    }
    return done;
  };
  const shares = await Promise.all(Array.from({ length: plan.concurrency }, work));
  return shares.reduce((sum, share) => sum + share, 0);
}

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const plan = JSON.parse(line);
    const client = new IModelsClient({ api: { baseUrl: `${plan.url}/imodels` } });
    const authorization = async () => ({ scheme: "Bearer", token: plan.token });
    const work = plan.ids ? write : read;
    console.log(await work(client, authorization, plan));
  }
}

main();
