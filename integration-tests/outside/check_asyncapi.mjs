// Checks an AsyncAPI document with AsyncAPI's own parser and all its rules, as a stranger's tools would read it.
//
// For a document of version 3 the parser itself looks at neither the Avro schemas in it nor at an address whose
// parameters are not described at all, so both are looked at here: each schema by the parser's Avro plugin.
//
// Call: node check_asyncapi.mjs FILE-OR-URL. CAUSEWAY_TEST_NODE_MODULES names the directory of the packages.
// Prints every diagnostic with its severity. Exit code 0 without an error, 1 with one or when the document cannot
// be read, 2 for wrong arguments.

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";

const MODULES = "CAUSEWAY_TEST_NODE_MODULES";
// How long a service may take to send its document.
const FETCH_MILLIS = 10_000;
// As the parser numbers them.
const SEVERITIES = ["error", "warning", "information", "hint"];
const ERROR = 0;

async function main() {
  const [source, ...more] = process.argv.slice(2);
  const modules = process.env[MODULES];
  if (!source || more.length > 0 || !modules) {
    console.error(`usage: ${MODULES}=DIRECTORY node check_asyncapi.mjs FILE-OR-URL`);
    return 2;
  }
  // The packages stand beside no script of this repository, where `import` would look for them.
  const require = createRequire(path.join(path.resolve(modules), "here.js"));
  const text = await read(source);
  const diagnostics = await diagnose(require, text);
  for (const { severity, code, message, path: place } of diagnostics) {
    console.log(`${SEVERITIES[severity]}: ${message} (${code}, at ${place.join("/") || "the root"})`);
  }
  const errors = diagnostics.filter(({ severity }) => severity === ERROR).length;
  console.log(`${errors} errors, ${diagnostics.length - errors} other diagnostics`);
  return errors > 0 ? 1 : 0;
}

async function read(source) {
  if (!/^https?:\/\//.test(source)) {
    return readFile(source, "utf8");
  }
  const response = await fetch(source, { signal: AbortSignal.timeout(FETCH_MILLIS) });
  if (!response.ok) {
    throw new Error(`${source} answered ${response.status}`);
  }
  return response.text();
}

async function diagnose(require, text) {
  const { Parser } = require("@asyncapi/parser");
  const avro = require("@asyncapi/avro-schema-parser").AvroSchemaParser();
  const parser = new Parser();
  parser.registerSchemaParser(avro);
  const { document, diagnostics } = await parser.parse(text);
  if (!document) {
    return diagnostics;
  }
  const channels = Object.entries(JSON.parse(text).channels ?? {});
  if (channels.length === 0) {
    return [...diagnostics, mistake("no-channels", "a document without channels says nothing", ["channels"])];
  }
  const addresses = channels.flatMap(([name, channel]) => undescribedParameters(name, channel));
  const schemas = await Promise.all(channels.map(([name, channel]) => schemaMistakes(avro, name, channel)));
  return [...diagnostics, ...addresses, ...schemas.flat()];
}

function undescribedParameters(name, channel) {
  const parameters = (channel.address ?? "").matchAll(/\{([^}]*)\}/g);
  return [...parameters]
    .filter(([, parameter]) => !(parameter in (channel.parameters ?? {})))
    .map(([, parameter]) => mistake("parameter", `${parameter} is not described`, ["channels", name, "address"]));
}

async function schemaMistakes(avro, name, channel) {
  const mistakes = [];
  for (const [key, { payload }] of Object.entries(channel.messages ?? {})) {
    const place = ["channels", name, "messages", key, "payload"];
    if (!avro.getMimeTypes().includes(payload?.schemaFormat)) {
      mistakes.push(mistake("schema-format", `${payload?.schemaFormat} is no format of Avro schemas`, place));
      continue;
    }
    const found = await avro.validate({ data: payload.schema, path: place });
    mistakes.push(...found.map(({ message }) => mistake("avro-schema", message, place)));
  }
  return mistakes;
}

function mistake(code, message, place) {
  return { severity: ERROR, code, message, path: place };
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(`check_asyncapi: ${error.message}${error.cause ? `: ${error.cause.message}` : ""}`);
  process.exitCode = 1;
}
