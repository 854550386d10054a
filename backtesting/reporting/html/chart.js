"use strict";
// Shows what a tool answered in a chat that renders MCP Apps; `host` is spoken to in JSON-RPC by messages.
(() => {
  const waiting = new Map();
  const dark = [...document.styleSheets[0].cssRules].filter(rule => rule.media?.mediaText.includes("prefers-color-scheme"));
  const element = name => document.getElementById(name);
  let asked = {}, canCall = false, redraw = () => {};

  const send = message => parent.postMessage({jsonrpc: "2.0", ...message}, "*");
  const tell = (method, params = {}) => send({method, params});
  function request(method, params) {
    const id = waiting.size + 1;
    send({id, method, params});
    return new Promise((resolve, reject) => waiting.set(id, {resolve, reject}));
  }

  function themed(context = {}) {
    if (!context.theme) return;
    for (const rule of dark) rule.media.mediaText = context.theme === "dark" ? "all" : "not all";
    document.documentElement.style.colorScheme = context.theme;
    redraw();
  }

  function fits() {
    const {width, height} = document.documentElement.getBoundingClientRect();
    tell("ui/notifications/size-changed", {width: Math.ceil(width), height: Math.ceil(height)});
  }

  const texts = result => (result.content ?? []).filter(each => each.type === "text").map(each => each.text).join("\n");

  function showCurves({title, verdict, ...curves}) {
    element("title").textContent = title;
    element("verdict").textContent = verdict;
    element("curves").hidden = false;
    redraw = drawCurves(curves);
  }

  function showPicture({data, mimeType}, words) {
    const picture = element("picture");
    picture.src = `data:${mimeType};base64,${data}`;
    picture.alt = words;
    picture.hidden = false;
    picture.addEventListener("load", fits);
  }

  async function show(result, mayCall) {
    const curves = result._meta?.["$curves"], words = texts(result);
    const picture = (result.content ?? []).find(each => each.type === "image");
    const id = result.structuredContent?.backtest_id ?? asked.backtest_id ?? words.match(/\bbt-[0-9a-f]{12}\b/)?.[0];
    if (curves) return showCurves(curves);
    if (!picture && mayCall && id && !result.isError && result.structuredContent?.status !== "running") {
      const drawn = await request("tools/call", {name: "plot_backtest", arguments: {backtest_id: id}}).catch(() => null);
      if (drawn) return show(drawn, false);
    }
    if (picture) showPicture(picture, words);
    element("words").textContent = words;
    element("words").hidden = false;
  }

  const heard = {
    "ui/notifications/tool-input": params => { asked = params.arguments ?? {}; },
    "ui/notifications/tool-result": params => show(params, canCall).then(fits),
    "ui/notifications/host-context-changed": themed,
  };

  addEventListener("message", ({source, data}) => {
    if (source !== parent || data?.jsonrpc !== "2.0") return;
    if (data.method === undefined) {
      const {resolve, reject} = waiting.get(data.id) ?? {resolve() {}, reject() {}};
      return data.error ? reject(data.error) : resolve(data.result);
    }
    if (data.id !== undefined) return send({id: data.id, result: {}});
    heard[data.method]?.(data.params ?? {});
  });

  new ResizeObserver(fits).observe(document.body);
  request("ui/initialize", {protocolVersion: "2026-01-26", appInfo: {name: "backtesting-mcp", version: "$version"}, appCapabilities: {}})
    .then(({hostContext, hostCapabilities}) => {
      canCall = Boolean(hostCapabilities?.serverTools);
      themed(hostContext);
      tell("ui/notifications/initialized");
    });
})();
