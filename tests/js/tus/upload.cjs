// Uploads a file with tus-js-client as a program would: node upload.cjs <endpoint> <token> <file> <purpose>
// Prints one line of JSON: where the file is, or what went wrong.
"use strict";
const fs = require("fs");
const tus = require("tus-js-client");

const [endpoint, token, file, purpose] = process.argv.slice(2);
let retries = 0;

function end(code, said) {
  console.log(JSON.stringify({ ...said, retries }));
  process.exit(code);
}

const upload = new tus.Upload(fs.createReadStream(file), {
  endpoint,
  chunkSize: Infinity,
  // whenever a try got further, the first of these comes next
  retryDelays: [0, 20, 50, 100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000],
  metadata: { filename: "cut.bin", purpose },
  headers: { Authorization: "Bearer " + token },
  onShouldRetry(error) {
    retries += 1;
    const status = error.originalResponse ? error.originalResponse.getStatus() : 0;
    return status === 0 || status >= 500 || status === 409 || status === 423;
  },
  onError: (error) => end(1, { error: String(error) }),
  onSuccess: () => end(0, { url: upload.url }),
});
upload.start();
