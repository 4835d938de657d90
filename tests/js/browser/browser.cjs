// A browser as the tests use it, and what a page of ours shows in it.
"use strict";
const fs = require("fs");
const path = require("path");
const { chromium } = require("playwright-core");

// Prints one line of JSON.
function say(what) {
  console.log(JSON.stringify(what));
}

// Opens a browser whose profile lies in a folder, and does something with its page. `complaints` are those of the page.
async function browse(name, folder, work) {
  // a name alone is looked for where a shell would look
  const places = process.env.PATH.split(":").map((place) => path.join(place, name));
  const browser = await chromium.launchPersistentContext(path.join(folder, "profile"), {
    executablePath: name.includes("/") ? name : places.find((place) => fs.existsSync(place)),
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
  try {
    await work(page, complaints);
  } catch (error) {
    say({ failed: String(error), complaints });
    process.exitCode = 1;
  }
  await browser.close();
}

// What the player shows, as a person would see it. Runs in the page.
const shown = () => {
  const player = document.getElementById("player");
  const ranges = player.buffered.length;
  return {
    time: player.currentTime,
    duration: player.duration,
    width: player.videoWidth,
    height: player.videoHeight,
    buffered: ranges ? player.buffered.end(ranges - 1) : 0,
    error: player.error && player.error.message,
  };
};

module.exports = { browse, say, shown };
