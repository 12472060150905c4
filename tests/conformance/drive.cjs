// Drives the emulator with the platform's official clients, unchanged, and tells what each step found.
//
// usage: node drive.cjs BASE_URL TOKEN OTHER_TOKEN < world.json > outcomes.json
"use strict";

const assert = require("node:assert/strict");
const fs = require("node:fs");
const {
  IModelsClient,
  IModelOrderByProperty,
  IModelState,
  OrderByOperator,
  take,
  toArray,
} = require("@itwin/imodels-client-management");
const { ITwinsAccessClient } = require("@itwin/itwins-client");
const { authoringSteps } = require("./authoring.cjs");

const [baseUrl, token, otherToken] = process.argv.slice(2);
const world = JSON.parse(fs.readFileSync(0, "utf8"));

const imodels = new IModelsClient({ api: { baseUrl: `${baseUrl}/imodels` } });
const itwins = new ITwinsAccessClient(`${baseUrl}/itwins`);
const authorization = async () => ({ scheme: "Bearer", token });
const asOther = async () => ({ scheme: "Bearer", token: otherToken });
const bearer = `Bearer ${token}`;

const project = world.itwins[0].id;
const favorites = world.favoriteImodels[project];
const ids = (rows) => rows.map((row) => row.id);

async function refused(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new assert.AssertionError({ message: "it was not refused" });
}

async function pages(list) {
  const found = [];
  for await (const page of list.byPage()) found.push(page);
  return found;
}

function isFull(imodel) {
  assert.equal(typeof imodel.name, "string");
  assert.equal(imodel.iTwinId, project);
  assert.ok(!Number.isNaN(Date.parse(imodel.createdDateTime)));
  assert.ok(Object.values(IModelState).includes(imodel.state));
  assert.ok("extent" in imodel && "description" in imodel && "_links" in imodel);
}

const steps = {
  // -- iModels: favorites

  async "favorite iModels, minimal"() {
    const rows = await toArray(
      imodels.favoriteIModels.getMinimalList({ authorization, urlParams: { iTwinId: project } }),
    );
    assert.deepEqual(ids(rows), favorites);
    for (const row of rows) assert.deepEqual(Object.keys(row).sort().slice(-2), ["displayName", "id"]);
  },

  async "favorite iModels, full"() {
    const rows = await toArray(
      imodels.favoriteIModels.getRepresentationList({ authorization, urlParams: { iTwinId: project } }),
    );
    assert.deepEqual(ids(rows), favorites);
    rows.forEach(isFull);
  },

  async "favorite iModels, by page"() {
    const urlParams = { iTwinId: project, $top: 10 };
    const found = await pages(imodels.favoriteIModels.getMinimalList({ authorization, urlParams }));
    assert.ok(found.length >= 3);
    assert.equal(found[0].length, 10);
    assert.deepEqual(ids(found.flat()), favorites);
  },

  async "favorite iModels, by continuation token"() {
    const urlParams = { iTwinId: project, $top: 7, $continuationToken: "" };
    const found = await pages(imodels.favoriteIModels.getMinimalList({ authorization, urlParams }));
    assert.ok(found.length >= 4);
    assert.deepEqual(ids(found.flat()), favorites);
  },

  async "favorite iModels, add and remove"() {
    const imodelId = favorites[3];
    const mine = () =>
      toArray(
        imodels.favoriteIModels.getMinimalList({
          authorization: asOther,
          urlParams: { iTwinId: project },
        }),
      );
    assert.deepEqual(await mine(), []);
    await imodels.favoriteIModels.add({ authorization: asOther, iModelId: imodelId });
    await imodels.favoriteIModels.add({ authorization: asOther, iModelId: imodelId });
    assert.deepEqual(ids(await mine()), [imodelId]);
    await imodels.favoriteIModels.remove({ authorization: asOther, iModelId: imodelId });
    assert.deepEqual(await mine(), []);
  },

  async "favorite iModels, of no iTwin"() {
    const urlParams = { iTwinId: "00000000-0000-4000-8000-000000000000" };
    const error = await refused(
      toArray(imodels.favoriteIModels.getMinimalList({ authorization, urlParams })),
    );
    assert.equal(error.code, "iTwinNotFound");
  },

  async "favorite iModels, wrong arguments"() {
    const urlParams = { iTwinId: "no-guid", $top: 5000 };
    const error = await refused(
      toArray(imodels.favoriteIModels.getMinimalList({ authorization, urlParams })),
    );
    assert.equal(error.code, "InvalidiModelsRequest");
    assert.deepEqual(error.details.map((detail) => detail.target).sort(), ["$top", "iTwinId"]);
  },

  // -- iModels: recents

  async "recent iModels, add, list and remove"() {
    const [first, second] = favorites;
    const list = (kind) =>
      toArray(
        imodels.recentIModels[kind]({ authorization: asOther, urlParams: { iTwinId: project, $top: 50 } }),
      );
    await imodels.recentIModels.add({ authorization: asOther, iModelId: first });
    await imodels.recentIModels.add({ authorization: asOther, iModelId: second });
    assert.deepEqual(ids(await list("getMinimalList")), [second, first]);
    const full = await list("getRepresentationList");
    assert.deepEqual(ids(full), [second, first]);
    full.forEach(isFull);
    await imodels.recentIModels.remove({ authorization: asOther, iModelId: second });
    assert.deepEqual(ids(await list("getMinimalList")), [first]);
  },

  async "recent iModels, no more than 25"() {
    for (const iModelId of favorites.slice(0, 27)) {
      await imodels.recentIModels.add({ authorization: asOther, iModelId });
    }
    const rows = await toArray(
      imodels.recentIModels.getMinimalList({ authorization: asOther, urlParams: { iTwinId: project } }),
    );
    assert.deepEqual(ids(rows), favorites.slice(2, 27).reverse());
  },

  // -- iModels themselves

  async "iModels of an iTwin"() {
    const urlParams = { iTwinId: project, $top: 10 };
    const minimal = await pages(imodels.iModels.getMinimalList({ authorization, urlParams }));
    assert.deepEqual(ids(minimal.flat()), favorites);
    const full = await toArray(imodels.iModels.getRepresentationList({ authorization, urlParams }));
    full.forEach(isFull);
    assert.equal(typeof full[0].getCreator, "function");
  },

  async "iModels of an iTwin, sorted, searched and skipped"() {
    const orderBy = {
      property: IModelOrderByProperty.Name,
      operator: OrderByOperator.Descending,
    };
    const all = await toArray(
      imodels.iModels.getRepresentationList({
        authorization,
        urlParams: { iTwinId: project, $orderBy: orderBy },
      }),
    );
    const names = all.map((row) => row.name);
    assert.deepEqual(names, [...names].sort((a, b) => (a < b ? 1 : -1)));
    const urlParams = { iTwinId: project, $orderBy: orderBy, $skip: 4 };
    const some = await take(imodels.iModels.getMinimalList({ authorization, urlParams }), 3);
    assert.deepEqual(ids(some), ids(all.slice(4, 7)));
    const named = await toArray(
      imodels.iModels.getMinimalList({
        authorization,
        urlParams: { iTwinId: project, name: names[2] },
      }),
    );
    assert.deepEqual(ids(named), [all[2].id]);
  },

  async "iModel, created, read, changed and deleted"() {
    const extent = {
      southWest: { latitude: 46.1, longitude: 7.8 },
      northEast: { latitude: 46.3, longitude: 8.6 },
    };
    const made = await imodels.iModels.createEmpty({
      authorization,
      iModelProperties: { iTwinId: project, name: "Sun City Renewable-energy Plant", extent },
    });
    isFull(made);
    assert.deepEqual(made.extent, extent);
    const read = await imodels.iModels.getSingle({ authorization, iModelId: made.id });
    assert.equal(read.name, made.name);
    const changed = await imodels.iModels.update({
      authorization,
      iModelId: made.id,
      iModelProperties: { name: "Plant", description: "Overall model" },
    });
    assert.deepEqual([changed.name, changed.description], ["Plant", "Overall model"]);
    await imodels.iModels.delete({ authorization, iModelId: made.id });
    const error = await refused(imodels.iModels.getSingle({ authorization, iModelId: made.id }));
    assert.equal(error.code, "iModelNotFound");
  },

  async "iModel, of a name that is taken"() {
    const name = "Taken";
    const make = () =>
      imodels.iModels.createEmpty({ authorization, iModelProperties: { iTwinId: project, name } });
    const made = await make();
    assert.equal((await refused(make())).code, "iModelExists");
    await imodels.iModels.delete({ authorization, iModelId: made.id });
  },

  async "iModels without a good token"() {
    const nobody = async () => ({ scheme: "Basic", token: "x" });
    const error = await refused(
      toArray(
        imodels.favoriteIModels.getMinimalList({
          authorization: nobody,
          urlParams: { iTwinId: project },
        }),
      ),
    );
    assert.equal(error.code, "Unauthorized");
  },

  // -- iTwins

  async "favorite iTwins"() {
    const minimal = await itwins.queryFavoritesAsync(bearer);
    assert.equal(minimal.status, 200);
    assert.deepEqual(ids(minimal.data), world.activeItwins);
    const full = await itwins.queryFavoritesAsync(bearer, undefined, { resultMode: "representation" });
    assert.deepEqual(ids(full.data), world.activeItwins);
    for (const row of full.data) assert.ok(row.iTwinAccountId && row.createdDateTime);
  },

  async "favorite iTwins, filtered and paged"() {
    const everything = await itwins.queryFavoritesAsync(bearer, undefined, { includeInactive: true });
    assert.deepEqual(ids(everything.data), ids(world.itwins));
    const kinds = ids(world.itwins.filter((row) => row.subClass === "Asset" && row.status !== "Inactive"));
    assert.deepEqual(ids((await itwins.queryFavoritesAsync(bearer, "Asset")).data), kinds);
    const some = await itwins.queryFavoritesAsync(bearer, undefined, { top: 3, skip: 2 });
    assert.deepEqual(ids(some.data), world.activeItwins.slice(2, 5));
    const inactive = await itwins.queryFavoritesAsync(bearer, undefined, { status: "Inactive" });
    assert.deepEqual(ids(inactive.data), ids(world.itwins.filter((row) => row.status === "Inactive")));
  },

  async "favorite iTwins, wrong arguments"() {
    const found = await itwins.queryFavoritesAsync(bearer, "Castle", { top: 5000 });
    assert.equal(found.status, 422);
    assert.equal(found.error.code, "InvalidiTwinsRequest");
    assert.deepEqual(found.error.details.map((detail) => detail.target).sort(), ["$top", "subClass"]);
  },

  async "recent iTwins"() {
    const minimal = await itwins.queryRecentsAsync(bearer);
    assert.equal(minimal.status, 200);
    assert.deepEqual(ids(minimal.data), world.recentItwins);
    const full = await itwins.queryRecentsAsync(bearer, "Project", { resultMode: "representation" });
    assert.ok(full.data.every((row) => row.subClass === "Project" && row.iTwinAccountId));
  },

  async "my iTwins"() {
    const all = await itwins.queryAsync(bearer, undefined, { top: 1000 });
    assert.deepEqual(ids(all.data), world.activeItwins);
    const one = world.itwins[0];
    const named = await itwins.queryAsync(bearer, undefined, { number: one.number });
    assert.deepEqual(ids(named.data), [one.id]);
    const searched = await itwins.queryAsync(bearer, undefined, { search: one.displayName });
    assert.ok(ids(searched.data).includes(one.id));
  },

  async "iTwin, created, read, changed and deleted"() {
    const iTwin = {
      displayName: "Bridge",
      number: `conformance-${process.pid}`,
      class: "Endeavor",
      subClass: "Project",
    };
    const made = await itwins.createiTwin(bearer, iTwin);
    assert.equal(made.status, 201);
    assert.equal(made.data.displayName, "Bridge");
    const twin = await itwins.createiTwin(bearer, iTwin);
    assert.deepEqual([twin.status, twin.error.code], [409, "iTwinExists"]);
    const id = made.data.id;
    const changed = await itwins.updateiTwin(bearer, id, { displayName: "Tunnel" });
    assert.deepEqual([changed.status, changed.data.displayName], [200, "Tunnel"]);
    const read = await itwins.getAsync(bearer, id, "representation");
    assert.deepEqual([read.status, read.data.displayName], [200, "Tunnel"]);
    assert.equal((await itwins.getAsync(bearer, id)).data.iTwinAccountId, undefined);
    assert.equal((await itwins.deleteiTwin(bearer, id)).status, 204);
    const gone = await itwins.getAsync(bearer, id);
    assert.deepEqual([gone.status, gone.error.code], [404, "iTwinNotFound"]);
  },

  async "accounts"() {
    const mine = await itwins.getPrimaryAccountAsync(bearer);
    assert.deepEqual([mine.status, mine.data.subClass], [200, "Account"]);
    const account = await itwins.getAccountAsync(bearer, project, "representation");
    assert.deepEqual([account.status, account.data.class], [200, "Account"]);
  },

  async "repositories, created, listed and deleted"() {
    const repository = {
      class: "GeographicInformationSystem",
      subClass: "WebMapService",
      uri: "https://maps.example.net/wms",
    };
    const made = await itwins.createRepository(bearer, project, repository);
    assert.equal(made.status, 201);
    assert.deepEqual({ ...made.data, ...repository }, made.data);
    const twin = await itwins.createRepository(bearer, project, repository);
    assert.deepEqual([twin.status, twin.error.code], [409, "iTwinRepositoryExists"]);
    const all = await itwins.queryRepositoriesAsync(bearer, project);
    assert.equal(all.status, 200);
    assert.deepEqual(
      all.data.map((row) => row.class),
      ["CesiumCuratedContent", "iModels", "GeographicInformationSystem"],
    );
    assert.deepEqual(all.data[2], made.data);
    const dropped = await itwins.deleteRepository(bearer, project, made.data.id);
    assert.equal(dropped.status, 204);
    const gone = await itwins.deleteRepository(bearer, project, made.data.id);
    assert.deepEqual([gone.status, gone.error.code], [404, "iTwinRepositoryNotFound"]);
  },

  async "repositories, of one class"() {
    const filtered = await itwins.queryRepositoriesAsync(bearer, project, { class: "iModels" });
    assert.equal(filtered.status, 200);
    assert.deepEqual(ids(filtered.data), ["imodels"]);
  },

  async "repositories, wrong arguments"() {
    const none = "00000000-0000-4000-8000-000000000000";
    const unknown = await itwins.queryRepositoriesAsync(bearer, none);
    assert.deepEqual([unknown.status, unknown.error.code], [404, "iTwinNotFound"]);
    const wrong = await itwins.createRepository(bearer, project, {
      class: "GeographicInformationSystem",
      subClass: "WebMapService",
      uri: "",
    });
    assert.deepEqual([wrong.status, wrong.error.code], [422, "InvalidiTwinsRequest"]);
    const [detail] = wrong.error.details;
    assert.deepEqual([detail.code, detail.target], ["MissingRequiredProperty", "uri"]);
  },

  async "iTwins without a good token"() {
    const found = await itwins.queryFavoritesAsync("Basic x");
    assert.deepEqual([found.status, found.error.code], [401, "InvalidAuthorizationScheme"]);
  },
};

async function main() {
  const outcomes = {};
  const more = authoringSteps({ baseUrl, authorization, asOther, project, ids, pages, refused });
  for (const [name, step] of Object.entries({ ...steps, ...more })) {
    try {
      await step();
      outcomes[name] = null;
    } catch (error) {
      outcomes[name] = `${error.stack || error}`;
    }
  }
  process.stdout.write(JSON.stringify(outcomes));
}

main();
