// What the clients do in iModels: files, briefcases, changesets, versions, locks.
"use strict";

const assert = require("node:assert/strict");
const crypto = require("node:crypto");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { IModelsClient } = require("@itwin/imodels-client-authoring");
const {
  CheckpointState,
  IModelsClient: ManagementClient,
  OrderByOperator,
  toArray,
} = require("@itwin/imodels-client-management");
const { AzureClientStorage, BlockBlobClientWrapperFactory } = require("@itwin/object-storage-azure");

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "itwin-async-conformance-"));
process.on("exit", () => fs.rmSync(folder, { recursive: true }));

exports.authoringSteps = ({ baseUrl, authorization, asOther, project, ids, pages, refused }) => {
  const api = { baseUrl: `${baseUrl}/imodels` };
  const cloudStorage = new AzureClientStorage(new BlockBlobClientWrapperFactory());
  const client = new IModelsClient({ api, cloudStorage });
  const management = new ManagementClient({ api });
  const digest = (text) => crypto.createHash("sha1").update(text).digest("hex");
  let iModelId;
  let groupId;
  const within = (more) => ({ authorization, iModelId, ...more });

  function file(name, size) {
    const filePath = path.join(folder, name);
    fs.writeFileSync(filePath, Buffer.alloc(size, name));
    return filePath;
  }

  async function push(number, more) {
    return client.changesets.create(
      within({
        changesetProperties: {
          id: digest(`${number}`),
          parentId: number > 1 ? digest(`${number - 1}`) : undefined,
          briefcaseId: 2,
          description: `Changes ${number}`,
          filePath: file(`${number}.cs`, 1000 * number),
          ...more,
        },
      }),
    );
  }

  return {
    // -- iModels from files and from other iModels

    async "iModel, from a baseline file"() {
      const filePath = file("baseline.bim", 300_000);
      const made = await client.iModels.createFromBaseline({
        authorization,
        iModelProperties: { iTwinId: project, name: "From a file", filePath },
      });
      assert.deepEqual([made.name, made.state], ["From a file", "initialized"]);
      iModelId = made.id;
      const baseline = await client.baselineFiles.getSingle(within());
      assert.deepEqual([baseline.state, baseline.fileSize], ["initialized", 300_000]);
      const localPath = path.join(folder, "baseline.back");
      const { href: url, storageType } = baseline._links.download;
      await cloudStorage.download({ transferType: "local", localPath, url, storageType });
      assert.ok(fs.readFileSync(localPath).equals(fs.readFileSync(filePath)));
      const operation = await client.operations.getCreateIModelDetails(within());
      assert.equal(operation.state, "successful");
    },

    // -- thumbnails

    async "thumbnails"() {
      const get = (size) => client.thumbnails.download(within({ urlParams: { size } }));
      const large = await get("large");
      assert.equal(Buffer.from(large.image).subarray(1, 4).toString(), "PNG");
      const before = await get("small");
      const thumbnailProperties = { imageType: "image/png", image: large.image };
      await client.thumbnails.upload(within({ thumbnailProperties }));
      assert.deepEqual((await get("large")).image, large.image);
      assert.notDeepEqual((await get("small")).image, before.image);
    },

    // -- briefcases

    async "briefcases"() {
      const briefcaseProperties = { deviceName: "WS-17" };
      const made = await client.briefcases.acquire(within({ briefcaseProperties }));
      assert.deepEqual([made.briefcaseId, made.deviceName], [2, "WS-17"]);
      await client.briefcases.acquire(within());
      await client.briefcases.acquire({ authorization: asOther, iModelId });
      const urlParams = {
        ownerId: "me",
        $orderBy: { property: "acquiredDateTime", operator: OrderByOperator.Descending },
        $top: 1,
      };
      const mine = await pages(client.briefcases.getMinimalList(within({ urlParams })));
      assert.deepEqual(mine.map(ids), [["3"], ["2"]]);
      const full = await toArray(client.briefcases.getRepresentationList(within()));
      assert.deepEqual(full.map((row) => row.briefcaseId), [2, 3, 4]);
      const read = await client.briefcases.getSingle(within({ briefcaseId: 2 }));
      assert.equal((await read.getOwner()).id, made.ownerId);
      assert.equal((await read.getCheckpoint()).changesetIndex, 0);
      await client.briefcases.release(within({ briefcaseId: 3 }));
      const error = await refused(client.briefcases.getSingle(within({ briefcaseId: 3 })));
      assert.equal(error.code, "BriefcaseNotFound");
    },

    // -- changesets

    async "changeset groups"() {
      const changesetGroupProperties = { description: "nightly" };
      const made = await client.changesetGroups.create(within({ changesetGroupProperties }));
      assert.equal(made.state, "inProgress");
      groupId = made.id;
      const read = await client.changesetGroups.getSingle(within({ changesetGroupId: groupId }));
      assert.equal((await read.getCreator()).id, made.creatorId);
      const listed = await toArray(client.changesetGroups.getList(within()));
      assert.deepEqual(ids(listed), [groupId]);
    },

    async "changesets, pushed and listed"() {
      const synchronizationInfo = { taskId: "t", changedFiles: ["a.dgn"] };
      const first = await push(1, { synchronizationInfo, containingChanges: 1 });
      assert.deepEqual([first.index, first.state], [1, "fileUploaded"]);
      for (const number of [2, 3, 4]) await push(number, { groupId });
      const minimal = await pages(client.changesets.getMinimalList(within({ urlParams: { $top: 2 } })));
      assert.deepEqual(minimal.map((page) => page.map((row) => row.index)), [[1, 2], [3, 4]]);
      const urlParams = { afterIndex: 1, lastIndex: 3 };
      const full = await toArray(client.changesets.getRepresentationList(within({ urlParams })));
      assert.deepEqual(ids(full), [digest("2"), digest("3")]);
      const read = await client.changesets.getSingle(within({ changesetIndex: 1 }));
      assert.deepEqual(read.synchronizationInfo, synchronizationInfo);
      assert.equal((await read.getCreator()).statistics.pushedChangesetsCount, 4);
      const byId = await client.changesets.getSingle(within({ changesetId: digest("2") }));
      assert.equal(byId.groupId, groupId);
    },

    async "changesets, downloaded"() {
      const targetDirectoryPath = path.join(folder, "changesets");
      const one = await client.changesets.downloadSingle(
        within({ changesetIndex: 2, targetDirectoryPath }),
      );
      const all = await client.changesets.downloadList(within({ targetDirectoryPath }));
      assert.equal(all.length, 4);
      assert.equal(all[1].filePath, one.filePath);
      for (const { index, filePath } of all) {
        const sent = fs.readFileSync(path.join(folder, `${index}.cs`));
        assert.ok(fs.readFileSync(filePath).equals(sent));
      }
    },

    async "changesets, refused"() {
      const exists = await refused(push(5, { id: digest("4") }));
      assert.equal(exists.code, "ChangesetExists");
      const newer = await refused(push(5, { parentId: digest("2") }));
      assert.equal(newer.code, "NewerChangesExist");
    },

    async "changeset groups, closed"() {
      const changesetGroupProperties = { state: "completed" };
      const closed = await client.changesetGroups.update(
        within({ changesetGroupId: groupId, changesetGroupProperties }),
      );
      assert.equal(closed.state, "completed");
      assert.equal((await refused(push(5, { groupId }))).code, "InvalidiModelsRequest");
    },

    async "extended data of changesets"() {
      const data = { source: "test", letters: "é" };
      const made = await client.changesetExtendedData.create(
        within({ changesetId: digest("2"), changesetExtendedDataProperties: { data } }),
      );
      assert.deepEqual(made, { changesetId: digest("2"), changesetIndex: 2, data });
      const read = await client.changesetExtendedData.getSingle(within({ changesetIndex: 2 }));
      assert.deepEqual(read, made);
      assert.deepEqual(await toArray(client.changesetExtendedData.getList(within())), [made]);
      const error = await refused(
        client.changesetExtendedData.getSingle(within({ changesetIndex: 1 })),
      );
      assert.equal(error.code, "ChangesetExtendedDataNotFound");
    },

    // -- named versions and checkpoints

    async "named versions and checkpoints"() {
      const namedVersionProperties = { name: "Issued", changesetId: digest("3") };
      const made = await client.namedVersions.create(within({ namedVersionProperties }));
      assert.deepEqual([made.changesetIndex, made.state], [3, "visible"]);
      const namedVersionId = made.id;
      assert.equal((await made.getChangeset()).index, 3);
      const changed = await client.namedVersions.update(
        within({ namedVersionId, namedVersionProperties: { name: "Reviewed", state: "hidden" } }),
      );
      assert.deepEqual([changed.name, changed.state], ["Reviewed", "hidden"]);
      const read = await client.namedVersions.getSingle(within({ namedVersionId }));
      assert.equal((await read.getCreator()).statistics.createdVersionsCount, 1);
      const urlParams = { name: "Reviewed" };
      const minimal = await toArray(client.namedVersions.getMinimalList(within({ urlParams })));
      const full = await toArray(client.namedVersions.getRepresentationList(within()));
      assert.deepEqual([ids(minimal), ids(full)], [[made.id], [made.id]]);
      for (const parent of [{}, { changesetIndex: 4 }, { namedVersionId }]) {
        const checkpoint = await client.checkpoints.getSingle(within(parent));
        assert.ok(Object.values(CheckpointState).includes(checkpoint.state));
      }
      const again = await management.checkpoints.updateNamedVersionCheckpoint(
        within({ namedVersionId }),
      );
      assert.equal(again.changesetIndex, 3);
      const changeset = await client.changesets.getSingle(within({ changesetIndex: 3 }));
      assert.equal((await changeset.getNamedVersion()).id, made.id);
      assert.equal((await changeset.getCurrentOrPrecedingCheckpoint()).changesetIndex, 3);
    },

    // -- locks

    async "locks"() {
      const lock = (briefcaseId, lockLevel, objectIds, more) =>
        client.locks.update(
          within({
            briefcaseId,
            changesetId: digest("4"),
            lockedObjects: [{ lockLevel, objectIds }],
            ...more,
          }),
        );
      const made = await lock(2, "exclusive", ["0x1", "0x2"]);
      assert.deepEqual(made, {
        briefcaseId: 2,
        lockedObjects: [{ lockLevel: "exclusive", objectIds: ["0x1", "0x2"] }],
      });
      const conflict = await refused(lock(4, "shared", ["0x2"]));
      assert.equal(conflict.code, "ConflictWithAnotherUser");
      assert.deepEqual(conflict.conflictingLocks, [
        { objectId: "0x2", lockLevel: "exclusive", briefcaseIds: [2] },
      ]);
      const listed = await pages(
        client.locks.getList(within({ urlParams: { briefcaseId: 2, lockLevel: "exclusive", $top: 1 } })),
      );
      assert.deepEqual(listed.flat().map((row) => row.lockedObjects[0].objectIds), [["0x1"], ["0x2"]]);
      await lock(2, "none", ["0x2"]);
      const newer = await refused(lock(4, "shared", ["0x2"], { changesetId: digest("1") }));
      assert.equal(newer.code, "NewerChangesExist");
      assert.deepEqual(newer.objectIds, ["0x2"]);
      const urlParams = { afterChangesetIndex: 3 };
      const released = await toArray(management.locks.getReleasedLockList(within({ urlParams })));
      assert.deepEqual(released, [{ lockLevel: "exclusive", objectIds: ["0x2"] }]);
      const chunk = await management.locks.releaseLocksChunk(within({ briefcaseId: 2 }));
      assert.equal(chunk.isLastChunk, true);
      assert.deepEqual(await toArray(management.locks.getList(within())), []);
    },

    // -- users

    async "users and permissions"() {
      const urlParams = { $orderBy: { property: "givenName" }, $top: 1 };
      const minimal = await pages(client.users.getMinimalList(within({ urlParams })));
      assert.deepEqual(minimal.flat().map((row) => row.displayName.split("@")[0]).slice(0, 2), [
        "ana",
        "demo",
      ]);
      const full = await toArray(client.users.getRepresentationList(within()));
      assert.deepEqual(ids(full).sort(), ids(minimal.flat()).sort());
      const one = await client.users.getSingle(within({ userId: full[0].id }));
      assert.deepEqual(one, full[0]);
      const found = await client.userPermissions.get(within());
      assert.ok(found.permissions.includes("imodels_manage"));
    },

    // -- copies

    async "iModels, from a template, cloned and forked"() {
      const made = await client.iModels.createFromTemplate({
        authorization,
        iModelProperties: {
          iTwinId: project,
          name: "From a template",
          template: { iModelId, changesetId: digest("2") },
        },
      });
      assert.equal(made.state, "initialized");
      const iModelProperties = { iTwinId: project, name: "Cloned", changesetIndex: 3 };
      const clone = await client.iModels.clone(within({ iModelProperties }));
      const listed = await toArray(
        client.changesets.getMinimalList({ authorization, iModelId: clone.id }),
      );
      assert.equal(listed.length, 3);
      const fork = await client.iModels.fork(
        within({ iModelProperties: { iTwinId: project, name: "Forked", preserveHistory: true } }),
      );
      const operation = await client.operations.getCreateIModelDetails({
        authorization,
        iModelId: fork.id,
      });
      assert.equal(operation.forkedFrom.iModelId, iModelId);
    },
  };
};
