// Looks at /watch/<id> in a browser while the video is being made: node watch.cjs <browser> <folder> <url>
// Prints one line of JSON for each thing it saw; the folder is for the browser's profile.
"use strict";
const { browse, say, shown } = require("./browser.cjs");

const [browserName, folder, url] = process.argv.slice(2);
const PATIENCE = 120_000;

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

browse(browserName, folder, async (page, complaints) => {
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
});
