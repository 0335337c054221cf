// Reads a HAR file as a public parser does: npm's har-validator, which checks it against the schema of HAR 1.2.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const require = createRequire(process.env.KEYWHEEL_CLIENTS + "/har/");
const { har } = require("har-validator/lib/async.js");
const file = JSON.parse(readFileSync(process.argv[2], "utf8"));

har(file, (error, valid) => {
  if (!valid) {
    console.error(JSON.stringify(error?.errors ?? error));
    process.exit(1);
  }
  console.log(`${file.log.entries.length} entries, valid HAR ${file.log.version}`);
});
