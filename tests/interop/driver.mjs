// Drives a gateway with the reference client of the protocol and checks every frame it gets against the protocol's own
// schema. Usage: node driver.mjs URL TOKEN [PHASE] [PROTOCOL]. Prints one JSON object: what happened, every finding.
// The schema is that of protocol 4; of protocol 3 there is none, so its events are told by their fields instead.
import { readFileSync } from "node:fs";
import { GatewayClient } from "@openclaw/gateway-client";
import Ajv from "ajv";
import { WebSocket } from "ws";

const [url, token, phase = "whole", protocol = "4"] = process.argv.slice(2);
const schemaUrl = new URL("./node_modules/@openclaw/gateway-protocol/protocol.schema.json", import.meta.url);
const schema = JSON.parse(readFileSync(schemaUrl, "utf8"));
const ajv = new Ajv.default({ strict: false, allErrors: true, validateFormats: false });
ajv.addSchema(schema);

const report = { frames: 0, findings: [], events: {}, steps: {}, fields: {} };
const methodOf = new Map();

const RESULTS = {
  connect: "HelloOk",
  "agent.identity.get": "AgentIdentityResult",
  "agents.list": "AgentsListResult",
  "models.list": "ModelsListResult",
  "commands.list": "CommandsListResult",
  "sessions.create": "SessionsCreateResult",
  "sessions.delete": "SessionsDeleteResult",
  "sessions.resolve": "SessionsResolveResult",
};
const EVENTS = { chat: "ChatEvent", agent: "AgentEvent", tick: "TickEvent", shutdown: "ShutdownEvent" };

function check(name, value, where) {
  const validate = ajv.getSchema(`${schema.$id}#/definitions/${name}`);
  if (!validate) {
    report.findings.push(`${where}: the schema has no ${name}`);
  } else if (!validate(value)) {
    report.findings.push(`${where}: ${ajv.errorsText(validate.errors)} in ${JSON.stringify(value).slice(0, 400)}`);
  }
}

function seen(text) {
  const frame = JSON.parse(text);
  report.frames += 1;
  if (frame.type === "res") {
    check("ResponseFrame", frame, `response to ${methodOf.get(frame.id)}`);
    const result = RESULTS[methodOf.get(frame.id)];
    if (frame.ok && result) check(result, frame.payload, `result of ${methodOf.get(frame.id)}`);
    const rows = frame.payload?.sessions ?? (frame.payload?.sessionInfo ? [frame.payload.sessionInfo] : []);
    if (Array.isArray(rows)) for (const row of rows) check("SessionRow", row, `row of ${methodOf.get(frame.id)}`);
  } else {
    check("EventFrame", frame, `event ${frame.event}`);
    report.events[frame.event] = (report.events[frame.event] ?? 0) + 1;
    if (protocol !== "4") {
      const kind = [frame.event, frame.payload?.state ?? frame.payload?.stream].filter(Boolean).join(" ");
      report.fields[kind] = [...new Set([...(report.fields[kind] ?? []), ...Object.keys(frame.payload ?? {})])].sort();
      return;
    }
    // The schema's AgentEvent lacks the session, which every real gateway of the protocol sends and clients need.
    const { sessionKey, agentId, ...bare } = frame.payload ?? {};
    const payload = frame.event === "agent" ? bare : frame.payload;
    if (EVENTS[frame.event]) check(EVENTS[frame.event], payload, `payload of ${frame.event}`);
    if (frame.payload?.session) check("SessionRow", frame.payload.session, `row of ${frame.event}`);
  }
}

// Every frame passes here before the client sees it.
const emit = WebSocket.prototype.emit;
WebSocket.prototype.emit = function (kind, ...rest) {
  if (kind === "message") seen(rest[0].toString());
  return emit.call(this, kind, ...rest);
};
const send = WebSocket.prototype.send;
WebSocket.prototype.send = function (data, ...rest) {
  const frame = JSON.parse(data.toString());
  methodOf.set(frame.id, frame.method);
  return send.call(this, data, ...rest);
};

function open(onEvent = () => {}) {
  return new Promise((resolve, reject) => {
    const client = new GatewayClient({
      url,
      token,
      minProtocol: Number(protocol),
      maxProtocol: Number(protocol),
      requestTimeoutMs: 30_000,
      onHelloOk: (hello) => resolve({ client, hello }),
      onConnectError: reject,
      onGap: (gap) => report.findings.push(`gap in event numbers: ${JSON.stringify(gap)}`),
      onEvent,
    });
    client.start();
  });
}

async function turn(client, waiting, sessionKey, message, idempotencyKey) {
  const ended = new Promise((resolve) => waiting.set(idempotencyKey, resolve));
  const started = await client.request("chat.send", { sessionKey, message, idempotencyKey });
  return { started, final: await ended };
}

async function main() {
  const waiting = new Map();
  const onEvent = ({ event, payload }) => {
    if (event === "chat" && ["final", "error", "aborted"].includes(payload.state)) {
      waiting.get(payload.runId)?.(payload);
    }
  };
  const { client, hello } = await open(onEvent);
  report.steps.hello = { protocol: hello.protocol, server: hello.server, scopes: hello.auth.scopes };
  const key = "agent:main:dashboard:interop";
  const steps = report.steps;
  if (phase === "again") {
    steps.repeated = await client.request("chat.send", { sessionKey: key, message: "one", idempotencyKey: "run-1" });
    steps.history = await client.request("chat.history", { sessionKey: key, limit: 50 });
    await client.stopAndWait();
    return;
  }
  steps.subscribed = await client.request("sessions.subscribe", {});
  steps.created = await client.request("sessions.create", { key, label: "interop" });
  steps.turn = await turn(client, waiting, key, "one", "run-1");
  steps.wait = await client.request("agent.wait", { runId: "run-1", timeoutMs: 30_000 });
  steps.repeated = await client.request("chat.send", { sessionKey: key, message: "one", idempotencyKey: "run-1" });
  steps.history = await client.request("chat.history", { sessionKey: key, limit: 50 });
  const list = { limit: 20, includeDerivedTitles: true, includeLastMessage: true };
  steps.list = await client.request("sessions.list", list);
  steps.resolved = await client.request("sessions.resolve", { label: "interop" });
  for (const method of ["health", "status", "agents.list", "models.list", "commands.list", "agent.identity.get"]) {
    await client.request(method, {});
  }
  steps.startup = await client.request("chat.startup", { sessionKey: key, limit: 80, maxBytes: 262_144 });
  steps.reset = await client.request("sessions.reset", { key, reason: "new" });
  steps.afterReset = await client.request("chat.history", { sessionKey: key });
  steps.second = await turn(client, waiting, key, "two", "run-2");
  steps.unknown = await client.request("nope.nope", {}).catch((error) => `${error.message}`);
  steps.bogus = await client.request("sessions.patch", { bogus: 1 }).catch((error) => `${error.message}`);
  steps.deleted = await client.request("sessions.delete", { key: "agent:main:nobody" });
  await client.stopAndWait();

  const again = await open(onEvent);
  steps.reconnected = await again.client.request("chat.history", { sessionKey: key });
  await again.client.stopAndWait();
}

main()
  .catch((error) => report.findings.push(`failed: ${error.stack ?? error}`))
  .finally(() => {
    process.stdout.write(JSON.stringify(report));
    process.exit(0);
  });
setTimeout(() => {
  report.findings.push("failed: timed out");
  process.stdout.write(JSON.stringify(report));
  process.exit(1);
}, 100_000).unref();
