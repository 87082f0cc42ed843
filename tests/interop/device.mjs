// A stock client with a device identity of its own. Usage: node device.mjs ADDRESS PORT TOKEN STORE. STORE is a file that
// keeps the key and the device token between runs. Prints one JSON object: what the gateway said, and every frame that does
// not keep the protocol's schema.
import dns from "node:dns";
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, sign } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { GatewayClient } from "@openclaw/gateway-client";
import Ajv from "ajv";
import { WebSocket } from "ws";

const [address, port, token, store] = process.argv.slice(2);
// The client speaks in plain text to names of the home network only; such a name leads to the address that is meant.
const url = `ws://gateway.local:${port}/`;
const lookup = dns.lookup;
dns.lookup = (host, options, done) => lookup(host === "gateway.local" ? address : host, options, done);
const schemaUrl = new URL("./node_modules/@openclaw/gateway-protocol/protocol.schema.json", import.meta.url);
const schema = JSON.parse(readFileSync(schemaUrl, "utf8"));
const ajv = new Ajv.default({ strict: false, allErrors: true, validateFormats: false });
ajv.addSchema(schema);
const report = { findings: [], hello: null, error: null, paused: null, health: null };

function check(name, value) {
  const validate = ajv.getSchema(`${schema.$id}#/definitions/${name}`);
  if (!validate(value)) report.findings.push(`${name}: ${ajv.errorsText(validate.errors)}`);
}

const emit = WebSocket.prototype.emit;
WebSocket.prototype.emit = function (kind, ...rest) {
  if (kind === "message") {
    const frame = JSON.parse(rest[0].toString());
    check(frame.type === "res" ? "ResponseFrame" : "EventFrame", frame);
    if (frame.payload?.type === "hello-ok") check("HelloOk", frame.payload);
  }
  return emit.call(this, kind, ...rest);
};

function rawKey(publicPem) {
  return createPublicKey(publicPem).export({ type: "spki", format: "der" }).subarray(-32);
}

const kept = existsSync(store) ? JSON.parse(readFileSync(store, "utf8")) : {};
if (!kept.identity) {
  const pair = generateKeyPairSync("ed25519");
  const publicKeyPem = pair.publicKey.export({ type: "spki", format: "pem" });
  kept.identity = {
    deviceId: createHash("sha256").update(rawKey(publicKeyPem)).digest("hex"),
    publicKeyPem,
    privateKeyPem: pair.privateKey.export({ type: "pkcs8", format: "pem" }),
  };
}
const save = () => writeFileSync(store, JSON.stringify(kept));
save();

const client = new GatewayClient({
  url,
  ...(token ? { token } : {}),
  minProtocol: 4,
  maxProtocol: 4,
  clientDisplayName: "Stock client",
  platform: "Linux",
  deviceFamily: "Test",
  deviceIdentity: kept.identity,
  hostDeps: {
    signDevicePayload: (pem, payload) => sign(null, Buffer.from(payload), createPrivateKey(pem)).toString("base64url"),
    publicKeyRawBase64UrlFromPem: (pem) => rawKey(pem).toString("base64url"),
    loadDeviceAuthToken: () => kept.token ?? null,
    storeDeviceAuthToken: ({ token: text, scopes }) => {
      kept.token = { token: text, scopes };
      save();
    },
    clearDeviceAuthToken: () => {
      delete kept.token;
      report.cleared = true;
      save();
    },
  },
  onHelloOk: async (hello) => {
    report.hello = hello.auth;
    report.health = (await client.request("health", {})).ok;
    finish();
  },
  onConnectError: (error) => {
    report.error = { code: error.gatewayCode, message: error.message, details: error.details };
    if (report.paused) finish();
    else setTimeout(finish, 10_000);
  },
  onReconnectPaused: (info) => {
    report.paused = info;
    if (report.error) finish();
  },
});

let isDone = false;
function finish() {
  if (isDone) return;
  isDone = true;
  report.deviceId = kept.identity.deviceId;
  report.stored = kept.token ?? null;
  process.stdout.write(JSON.stringify(report));
  client.stopAndWait().finally(() => process.exit(0));
}

client.start();
setTimeout(() => {
  report.findings.push("failed: timed out");
  finish();
}, 100_000).unref();
