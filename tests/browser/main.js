// Signs in as a single-page application does, then shows the grids of the platform's own package.
import { IModelGrid, ITwinGrid } from "@itwin/imodel-browser-react";
import { UserManager } from "oidc-client-ts";
import { createElement, useEffect, useState } from "react";
import { createRoot } from "react-dom/client";

const PLATFORM = "https://api.bentley.com";
const query = new URLSearchParams(location.search);
const show = (text) => {
  document.getElementById("state").textContent = text;
};
if (query.has("emulator")) {
  sessionStorage.setItem("emulator", query.get("emulator"));
  sessionStorage.setItem("itwin", query.get("itwin"));
}
const emulator = sessionStorage.getItem("emulator");
const iTwinId = sessionStorage.getItem("itwin");

// The grids know no other host than the platform's.
const plainFetch = window.fetch.bind(window);
window.fetch = (url, options) => plainFetch(String(url).replace(PLATFORM, emulator), options);

const manager = new UserManager({
  authority: emulator,
  client_id: "page",
  redirect_uri: location.origin + location.pathname,
  scope: "itwin-platform openid profile offline_access",
  automaticSilentRenew: false,
});

function IModels({ id, path, accessToken }) {
  const [data, setData] = useState();
  useEffect(() => {
    const headers = {
      Authorization: accessToken,
      Accept: "application/vnd.bentley.itwin-platform.v2+json",
      Prefer: "return=representation",
    };
    fetch(`${PLATFORM}/imodels/${path}?iTwinId=${iTwinId}`, { headers })
      .then((response) => response.json())
      .then((content) => setData(content.iModels));
  }, [path, accessToken]);
  const grid = data && createElement(IModelGrid, { accessToken, iTwinId, apiOverrides: { data } });
  return createElement("section", { id }, grid);
}

function Grids({ accessToken }) {
  const grid = (id, kind, props) =>
    createElement("section", { id, key: id }, createElement(kind, { accessToken, ...props }));
  return [
    grid("itwin-favorites", ITwinGrid, { requestType: "favorites", iTwinSubClass: "All" }),
    grid("itwin-recents", ITwinGrid, { requestType: "recents", iTwinSubClass: "All" }),
    grid("itwins", ITwinGrid, { iTwinSubClass: "Project", orderbyOptions: "displayName desc" }),
    grid("imodels", IModelGrid, { iTwinId, viewMode: "cells" }),
    createElement(IModels, { id: "imodel-favorites", key: "f", path: "favorites", accessToken }),
    createElement(IModels, { id: "imodel-recents", key: "r", path: "recents", accessToken }),
  ];
}

async function main() {
  if (!query.has("code")) {
    await manager.signinRedirect({ login_hint: "demo@example.com" });
    return;
  }
  await manager.signinCallback();
  const user = await manager.signinSilent(); // renews with the refresh token
  show(`signed in as ${user.profile.name}`);
  const accessToken = `Bearer ${user.access_token}`;
  createRoot(document.getElementById("root")).render(createElement(Grids, { accessToken }));
}

main().catch((error) => show(`failed: ${error}`));
