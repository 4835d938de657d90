// Plays a video, and shows how far the work on it is until it can be played.
"use strict";
(function () {
  const player = document.getElementById("player");
  const state = document.getElementById("state");
  const bar = document.getElementById("progress");
  const query = location.search;
  let playing = false;

  function play() {
    if (playing) return;
    playing = true;
    player.addEventListener("playing", watched, { once: true });
    const master = player.dataset.master;
    if (window.Hls && Hls.isSupported()) {
      const hls = new Hls({ enableWorker: true });
      hls.loadSource(master);
      hls.attachMedia(player);
      window.hls = hls;
    } else if (player.canPlayType("application/vnd.apple.mpegurl")) {
      player.src = master;
    } else {
      state.textContent = "This browser cannot play the video.";
    }
  }

  function watched() {
    fetch("/api/videos/" + player.dataset.video + "/view", { method: "POST" }).catch(() => {});
  }

  async function look() {
    const answer = await fetch("/api/videos/" + player.dataset.video + "/status" + query, { cache: "no-store" });
    if (!answer.ok) return;
    const now = await answer.json();
    if (bar) bar.value = Math.max(bar.value, now.progress);
    if (["playable", "ready", "published"].includes(now.status)) play();
    if (["ready", "published"].includes(now.status)) {
      state.textContent = "";
      return;
    }
    if (now.status === "failed") {
      state.textContent = (now.error && now.error.message) || "Nothing could be made of this file.";
      return;
    }
    setTimeout(look, 1000);
  }

  if ("playable" in player.dataset) play();
  if (["processing", "playable", "draft"].includes(state.dataset.status)) setTimeout(look, 500);
})();
