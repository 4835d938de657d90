// Plays films to their ends in a browser: node play.cjs <browser> <folder> <url of a page>...
// Prints one line of JSON for each; the folder is for the browser's profile.
"use strict";
const { browse, say, shown } = require("./browser.cjs");

const [browserName, folder, ...urls] = process.argv.slice(2);
const PATIENCE = 60_000;

browse(browserName, folder, async (page, complaints) => {
  for (const url of urls) {
    complaints.length = 0;
    await page.goto(url);
    await page.waitForFunction(() => document.getElementById("player").readyState >= 2, null, { timeout: PATIENCE });
    await page.evaluate(() => {
      const player = document.getElementById("player");
      player.muted = true;
      player.playbackRate = 4;
      return player.play();
    });
    await page.waitForFunction(() => document.getElementById("player").ended, null, { timeout: PATIENCE });
    say({ ...(await page.evaluate(shown)), complaints });
  }
});
