// Looks at /watch/<id> in a browser while the video is being made: node watch.cjs <browser> <url> <folder>
// Prints one line of JSON for each thing it saw; the folder is for the browser's profile.
"use strict";
const fs = require("fs");
const path = require("path");
const { chromium } = require("playwright-core");

const [browserName, url, folder] = process.argv.slice(2);
// a name alone is looked for where a shell would look
const places = process.env.PATH.split(":").map((place) => path.join(place, browserName));
const executablePath = browserName.includes("/") ? browserName : places.find((place) => fs.existsSync(place));
const PATIENCE = 120_000;

function say(what) {
  console.log(JSON.stringify(what));
}

// What the player shows, as a person would see it.
const shown = () => {
  const player = document.getElementById("player");
  const ranges = player.buffered.length;
  return {
    time: player.currentTime,
    duration: player.duration,
    height: player.videoHeight,
    buffered: ranges ? player.buffered.end(ranges - 1) : 0,
    error: player.error && player.error.message,
  };
};

async function bar(page) {
  const values = [];
  const deadline = Date.now() + PATIENCE;
  while (Date.now() < deadline) {
    const value = await page.evaluate(() => {
      const bar = document.getElementById("progress");
      return bar && bar.isConnected ? bar.value : null;
    });
    if (value === null) break;
    if (values.at(-1) !== value) values.push(value);
    await page.waitForTimeout(50);
  }
  return values;
}

(async () => {
  const browser = await chromium.launchPersistentContext(path.join(folder, "profile"), {
    executablePath,
    headless: true,
    viewport: { width: 1100, height: 900 },
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--autoplay-policy=no-user-gesture-required",
    ],
  });
  const page = browser.pages()[0] || (await browser.newPage());
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  await page.goto(url);
  say({ opened: await page.title() });
  say({ bar: await bar(page) });

  await page.waitForFunction(() => document.getElementById("player").readyState >= 2, null, { timeout: PATIENCE });
  await page.evaluate(() => {
    const player = document.getElementById("player");
    player.muted = true;
    return player.play();
  });
  await page.waitForFunction(() => document.getElementById("player").currentTime > 1, null, { timeout: PATIENCE });
  say({ played: await page.evaluate(shown) });

  await page.evaluate(() => {
    const player = document.getElementById("player");
    player.currentTime = player.duration - 2;
  });
  const later = () => {
    const player = document.getElementById("player");
    return !player.seeking && player.currentTime > player.duration - 1.5;
  };
  await page.waitForFunction(later, null, { timeout: PATIENCE });
  say({ sought: await page.evaluate(shown) });
  say({ complaints });
  await browser.close();
})().catch((error) => {
  say({ failed: String(error) });
  process.exit(1);
});
